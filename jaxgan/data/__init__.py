"""Data: sources of images, and feeds that bring them to the device in an order that only the seed decides."""

from typing import TYPE_CHECKING

from jaxgan.lazy import attach

if TYPE_CHECKING:  # what editors and type checkers read
    from jaxgan.data.config import DataConfig
    from jaxgan.data.feed import Feed, device_feed, open_feed, prepare, stream_feed
    from jaxgan.data.order import shuffled_index
    from jaxgan.data.source import DataInfo, ImageSource, open_source, read_all, read_many, summary

__all__ = [
    'DataConfig',
    'DataInfo',
    'Feed',
    'ImageSource',
    'device_feed',
    'open_feed',
    'open_source',
    'prepare',
    'read_all',
    'read_many',
    'shuffled_index',
    'stream_feed',
    'summary',
]

__getattr__, __dir__ = attach(
    __name__,
    {
        'config': ('DataConfig',),
        'feed': ('Feed', 'device_feed', 'open_feed', 'prepare', 'stream_feed'),
        'order': ('shuffled_index',),
        'source': ('DataInfo', 'ImageSource', 'open_source', 'read_all', 'read_many', 'summary'),
    },
)
