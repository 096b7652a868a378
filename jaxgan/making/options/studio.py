"""The options of ``jaxgan studio``."""

import tyro

from jaxgan.marks.options import WatermarkOptions, own_first


@own_first
class StudioOptions(WatermarkOptions):
    """Write a page that runs the generator in the visitor's browser; the folder needs no network and any web server."""

    source: tyro.conf.Positional[str]
    """A run's folder, or an export's."""
    out: str = 'studio'
    """The folder to write; an older studio there is replaced."""
    serve: bool = False
    """Serve it on this machine (localhost) until Ctrl-C."""
    port: int = 8000
    """Where; 0: any that is free."""
    open: bool = False
    """Serve it and open it in the browser."""
    count: int = 48
    """How many new images the wall shows at a time."""
    runtime: str | None = None
    """onnxruntime-web by hand: the .tgz of its npm package, or a folder with its files (default: the cache's, else by npm pack)."""
    step: int | None = None
    """A run's checkpoint (default: the latest)."""
    best: bool = False
    """The checkpoint that evaluation in training found best."""
