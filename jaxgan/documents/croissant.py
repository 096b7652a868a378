"""``dataset.croissant.json``: the data of a training for programs that read Croissant, by what the run's files say of them.

References:
    MLCommons, Croissant Format Specification 1.1 (2026); Croissant RAI Specification 1.0 (2024).
"""

import json
from pathlib import PurePosixPath
from typing import Any

from jaxgan.credentials import without_folders
from jaxgan.datamanifest.entries import NAME as MANIFEST
from jaxgan.datamanifest.entries import Entry
from jaxgan.datamanifest.gather import counted
from jaxgan.documents.known import Found, Known, get
from jaxgan.documents.markdown import plain, several
from jaxgan.documents.privacyrows import privacy_rows
from jaxgan.rights.licences import NOT_STATED

CROISSANT, RAI = 'http://mlcommons.org/croissant/1.1', 'http://mlcommons.org/croissant/RAI/1.0'
MOST = 50  # licences and creators
FILES = 'files'  # the id of the data's own
KINDS = {
    '.png': 'image/png',
    '.jpg': 'image/jpeg',
    '.jpeg': 'image/jpeg',
    '.webp': 'image/webp',
    '.gif': 'image/gif',
    '.bmp': 'image/bmp',
    '.tif': 'image/tiff',
    '.tiff': 'image/tiff',
}
OWN_TERMS = (
    'annotation', 'arrayShape', 'citeAs', 'column', 'containedIn', 'equivalentProperty', 'extract', 'field', 'fileObject',
    'fileProperty', 'fileSet', 'format', 'includes', 'isArray', 'isLiveDataset', 'jsonPath', 'key', 'md5', 'parentField', 'path',
    'readLines', 'recordSet', 'references', 'regex', 'repeated', 'replace', 'samplingRate', 'sdVersion', 'separator', 'source', 'subField',
    'transform', 'unArchive', 'value',
)  # fmt: skip
CONTEXT: dict[str, Any] = {
    '@language': 'en',
    '@vocab': 'https://schema.org/',
    'sc': 'https://schema.org/',
    'cr': 'http://mlcommons.org/croissant/',
    'rai': 'http://mlcommons.org/croissant/RAI/',
    'dct': 'http://purl.org/dc/terms/',
    'conformsTo': 'dct:conformsTo',
    'name': {'@container': '@language'},
    'description': {'@container': '@language'},
    'data': {'@id': 'cr:data', '@type': '@json'},
    'dataType': {'@id': 'cr:dataType', '@type': '@vocab'},
    'examples': {'@id': 'cr:examples', '@type': '@json'},
    **{term: f'cr:{term}' for term in OWN_TERMS},
}
COLUMNS = {
    'index': ('sc:Integer', 'its place in the order of the data'),
    'name': ('sc:Text', 'its file, or its number in the split'),
    'sha256': ('sc:Text', 'SHA-256 of the file; where there is none, of the pixels'),
    'pixels': ('sc:Text', 'SHA-256 of the pixels as the training saw them'),
    'phash': ('sc:Text', 'perceptual hash, 16 hexadecimal digits'),
    'licence': ('sc:Text', 'as found in the image or the files around it'),
    'creator': ('sc:Text', 'as found in the image or the files around it'),
    'source': ('sc:Text', 'where it is from'),
    'group': ('sc:Integer', 'number of its group of near-duplicates'),
}


def write_dataset(known: Known, found: Found) -> str:
    """Describe the data of a training.

    Args:
        known: the generator that was trained on them.
        found: what the run's other files say.

    Returns:
        Croissant 1.1 as JSON; the same for the same files. Without the folders of a machine, and without what is not known: a
        reader warns of recommended fields that are absent (citeAs, datePublished, version).
    """
    data = known.card['data']
    name, origin = plain(without_folders(str(data.get('name')))), data.get('origin')
    described: dict[str, Any] = {
        '@context': CONTEXT,
        '@type': 'sc:Dataset',
        'conformsTo': [CROISSANT, RAI],
        'name': name,
        'description': f'{several(data.get("count"), "image")} of the split {plain(data.get("split"))} of {name}, as a jaxgan training read them.',
        'license': _licences(data, found.entries),
    }
    if isinstance(origin, str) and origin.startswith(('http://', 'https://')):
        described['url'] = plain(origin)
    creators = [one for one, _ in counted(found.entries, 'creator') if one != NOT_STATED]
    if creators:  # whether a person or an organization, no file says
        described['creator'] = [{'@type': 'sc:Person', 'name': plain(one)} for one in creators[:MOST]]
    described |= {
        'distribution': _distribution(known, found),
        'recordSet': _records(known, found),
        **_responsibility(known, found),
    }
    return json.dumps(described, indent=2, ensure_ascii=False, allow_nan=False) + '\n'


def _licences(data: dict[str, Any], entries: list[Entry]) -> list[str]:
    """List the set's licence, or where there is none those of single images."""
    own = data.get('licence')
    if own not in (None, '', NOT_STATED):
        return [plain(own)]
    single = [name for name, _ in counted(entries, 'licence')]
    if not entries and isinstance(data.get('licences'), list):
        single = [one[0] for one in data['licences'] if isinstance(one, list) and one]
    return [plain(one) for one in single[:MOST]] or [NOT_STATED]


def _distribution(known: Known, found: Found) -> list[dict[str, Any]]:
    """Name the files: the data's own, and the manifest, whose digest is known, and which has those of the images."""
    files = _files(known, found.entries)
    if not found.entries:
        return [files]
    listed = {
        '@type': 'cr:FileObject',
        '@id': 'manifest-file',
        'name': MANIFEST,
        'description': 'An object of JSON for each image: its digests, licence, creator, source and opt-outs.',
        'contentUrl': MANIFEST,
        'encodingFormat': 'application/jsonlines',
        'sha256': dict(found.files)[MANIFEST],
    }
    return [files, listed]


def _files(known: Known, entries: list[Entry]) -> dict[str, Any]:
    """Describe the files of the data by their names, as far as these are known."""
    name = without_folders(str(get(known.card, 'data.name')))
    kinds = {PurePosixPath(entry.name).suffix.lower() for entry in entries} & set(KINDS)
    if kinds and name.startswith('folder:'):
        told = 'The image files below the folder of the data; the manifest has the SHA-256 of each.'
        formats, includes = sorted({KINDS[one] for one in kinds}), [f'**/*{one}' for one in sorted(kinds)]
    else:
        told = (
            'The files of the data as their source has them; the files of the run do not have their digests.'
        )
        array = name.startswith('npz:')
        formats = ['application/zip' if array else 'application/octet-stream']
        includes = [plain(name.removeprefix('npz:')) if array else '**/*']
    return {
        '@type': 'cr:FileSet',
        '@id': FILES,
        'name': 'files',
        'description': told,
        'encodingFormat': formats,
        'includes': includes,
    }


def _records(known: Known, found: Found) -> list[dict[str, Any]]:
    """Describe images and labels, the names of the classes, and the manifest's columns."""
    size, channels = (plain(get(known.card, f'architecture.{one}')) for one in ('size', 'channels'))
    content = {'source': {'fileSet': {'@id': FILES}, 'extract': {'fileProperty': 'content'}}}
    fields = [
        _field('images/image', 'sc:ImageObject', f'{size}x{size} pixels, {channels} channels') | content
    ]
    sets = [{'@type': 'cr:RecordSet', '@id': 'images', 'name': 'images', 'field': fields}]
    labels = known.card['labels']
    if labels:
        label = _field('images/label', 'sc:Integer', 'the number of its class')
        fields.append(label | content | {'references': {'field': {'@id': 'classes/index'}}})
        sets.append(_classes(labels))
    if found.entries:
        columns = [
            _field(f'manifest/{name}', kind, told) | _column(name) for name, (kind, told) in COLUMNS.items()
        ]
        sets.append({'@type': 'cr:RecordSet', '@id': 'manifest', 'name': 'manifest', 'field': columns})
    return sets


def _column(name: str) -> dict[str, Any]:
    return {'source': {'fileObject': {'@id': 'manifest-file'}, 'extract': {'column': name}}}


def _classes(labels: list[str]) -> dict[str, Any]:
    return {
        '@type': 'cr:RecordSet',
        '@id': 'classes',
        'name': 'classes',
        'dataType': 'sc:Enumeration',
        'key': {'@id': 'classes/index'},
        'field': [
            _field('classes/index', 'sc:Integer', 'the number of the class'),
            _field('classes/name', 'sc:Text', 'its name'),
        ],
        'data': [{'classes/index': i, 'classes/name': plain(label)} for i, label in enumerate(labels)],
    }


def _field(place: str, kind: str, told: str) -> dict[str, Any]:
    name = place.split('/')[1]
    return {'@type': 'cr:Field', '@id': place, 'name': name, 'description': told, 'dataType': kind}


def _responsibility(known: Known, found: Found) -> dict[str, Any]:
    """Say what is known of how the data were chosen and prepared, in the vocabulary of responsible AI."""
    data = known.card['data']
    prepared = get(known.config, 'data') or data.get('config')
    shown = [
        f'{name} {plain(get(prepared, name))}'
        for name in ('size', 'crop', 'resize', 'flip')
        if get(prepared, name) is not None
    ]
    excluded, missing = get(prepared, 'exclude'), []
    if isinstance(data.get('opted_out'), int):
        missing.append(f'{plain(data["opted_out"])} images were left out, for they opt out')
        missing.append(f'{plain(data.get("opt_outs_ignored"))} that opt out were used all the same')
        if data.get('opt_outs_ignored'):
            missing.append(f'the reason given for that: {plain(data.get("opt_out_reason"))}')
    if isinstance(excluded, list):
        missing.append(f'{plain(len(excluded))} images were excluded from the training by name')
    groups = {entry.group for entry in found.entries if entry.group is not None}
    limits = f'near-duplicates: {several(len(groups), "group")}' if found.entries else NOT_STATED
    spent = {one.what: one.value for one in privacy_rows(known)}
    private = (
        [
            f'trained with differential privacy: epsilon {spent["epsilon"]} at delta {spent["delta"]}, {spent["neighbouring data sets"]}'
        ]
        if spent
        else []
    )
    return {
        'rai:dataCollection': NOT_STATED,
        'rai:dataCollectionMissingData': '; '.join(missing) or NOT_STATED,
        'rai:dataPreprocessingProtocol': shown or [NOT_STATED],
        'rai:dataUseCases': [f'training of the generator whose weights have SHA-256 {known.digest}'],
        'rai:dataLimitations': [limits],
        'rai:dataBiases': [NOT_STATED],
        'rai:personalSensitiveInformation': private or [NOT_STATED],
    }
