"""Turn a data set that TFDS prepared as TFRecord into ArrayRecord: the same records, in files with random access.

Neither TensorFlow nor Beam (which TFDS's own converter wants) is needed: a TFRecord file is a row of
(length: uint64, checksum: uint32, bytes, checksum: uint32), and what the bytes say stays as it is.
"""

import json
import os
import pathlib
import struct
from collections.abc import Iterator

from jaxgan.errors import InputError


def read_records(path: pathlib.Path) -> Iterator[bytes]:
    """Yield the records of a TFRecord file.

    Raises:
        InputError: if the file ends in the middle of a record.
    """
    with path.open('rb') as file:
        while header := file.read(12):
            length = struct.unpack('<Q', header[:8])[0] if len(header) == 12 else 0
            record, checksum = file.read(length), file.read(4)
            if len(record) < length or len(checksum) < 4:
                raise InputError(f'{path} is cut short; delete its folder and prepare it anew')
            yield record


def convert(folder: pathlib.Path) -> None:
    """Write ArrayRecord files beside the TFRecord files of a prepared data set, and say so in its description.

    Args:
        folder: the folder of one version, which holds ``dataset_info.json``.

    Raises:
        InputError: if a file is cut short, or records are missing.
    """
    description = folder / 'dataset_info.json'
    info = json.loads(description.read_text('utf-8'))
    written = 0
    for path in sorted(folder.glob('*.tfrecord-*')):
        written += _convert_file(path, folder / path.name.replace('.tfrecord-', '.array_record-'))
    promised = sum(int(length) for split in info['splits'] for length in split['shardLengths'])
    if written != promised:
        raise InputError(f'{folder} holds {written} records of {promised}; delete it and prepare it anew')
    info.setdefault('alternativeFileFormats', []).append('array_record')
    temporary = description.with_suffix('.tmp')
    temporary.write_text(json.dumps(info, indent=2), 'utf-8')
    os.replace(temporary, description)  # last, and at once: until then the data set is as it was


def _convert_file(source: pathlib.Path, target: pathlib.Path) -> int:
    import array_record.python.array_record_module as array_record_module

    temporary = target.with_name(f'.{target.name}.tmp')
    writer = array_record_module.ArrayRecordWriter(str(temporary), 'group_size:1')  # as TFDS writes them
    count = 0
    try:
        for record in read_records(source):
            writer.write(record)
            count += 1
    finally:
        writer.close()
    os.replace(temporary, target)
    return count
