"""The version as Croissant metadata (MLCommons, format 1.0): what other tools read to load train.jsonl.

import mlcroissant
records = mlcroissant.Dataset("croissant.json").records("train")      # in a folder that `pull` made
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from acclimate.dataset.versions import TRAIN, Version, short

FIELDS = {
    "id": "A hash of source and text, or the name that the record came with.",
    "kind": "domain_documents, domain_questions, general_replay or canary.",
    "text": "What is trained on.",
}
CONTEXT: dict[str, Any] = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    "citeAs": "cr:citeAs",
    "column": "cr:column",
    "conformsTo": "dct:conformsTo",
    "cr": "http://mlcommons.org/croissant/",
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "dct": "http://purl.org/dc/terms/",
    "equivalentProperty": "cr:equivalentProperty",
    "examples": {"@id": "cr:examples", "@type": "@json"},
    "extract": "cr:extract",
    "field": "cr:field",
    "fileObject": "cr:fileObject",
    "fileProperty": "cr:fileProperty",
    "fileSet": "cr:fileSet",
    "format": "cr:format",
    "includes": "cr:includes",
    "isLiveDataset": "cr:isLiveDataset",
    "jsonPath": "cr:jsonPath",
    "key": "cr:key",
    "md5": "cr:md5",
    "parentField": "cr:parentField",
    "path": "cr:path",
    "rai": "http://mlcommons.org/croissant/RAI/",
    "recordSet": "cr:recordSet",
    "references": "cr:references",
    "regex": "cr:regex",
    "repeated": "cr:repeated",
    "replace": "cr:replace",
    "samplingRate": "cr:samplingRate",
    "sc": "https://schema.org/",
    "separator": "cr:separator",
    "source": "cr:source",
    "subField": "cr:subField",
    "transform": "cr:transform",
}
"""The vocabulary that the format prescribes."""


def metadata(version: Version, licences: Mapping[str, str], size: int) -> dict[str, Any]:
    """The JSON-LD of a version.

    Args:
        version: what it is about.
        licences: source to licence.
        size: bytes of train.jsonl.
    """
    year, month, day = (int(part) for part in version.date[:10].split("-"))
    return {
        "@context": CONTEXT,
        "@type": "sc:Dataset",
        "conformsTo": "http://mlcommons.org/croissant/1.0",
        "name": f"acclimate-{version.domain.replace('_', '-')}",
        "description": (
            f"{version.records:,} texts that a language model is adapted to {version.domain.replace('_', ' ')} with, "
            f"general text for replay included. Sources: {', '.join(licences)}. card.md beside this file says more."
        ),
        "license": sorted(set(licences.values())),
        "url": f"https://localhost/acclimate/{version.name}",
        "version": f"{year}.{month}.{day}",
        "datePublished": version.date[:10],
        "citeAs": f"Acclimate training set {version.name}, SHA-256 {version.sha256}",
        "distribution": [
            {
                "@type": "cr:FileObject",
                "@id": "train.jsonl",
                "name": "train.jsonl",
                "description": f"The training set {short(version.name)} in training order.",
                "contentUrl": TRAIN,
                "contentSize": f"{size} B",
                "encodingFormat": "application/jsonlines",
                "sha256": version.sha256,
            }
        ],
        "recordSet": [
            {
                "@type": "cr:RecordSet",
                "@id": "train",
                "name": "train",
                "description": "One text each.",
                "field": [_field(name, description) for name, description in FIELDS.items()],
            }
        ],
    }


def _field(name: str, description: str) -> dict[str, Any]:
    return {
        "@type": "cr:Field",
        "@id": f"train/{name}",
        "name": name,
        "description": description,
        "dataType": "sc:Text",
        "source": {"fileObject": {"@id": "train.jsonl"}, "extract": {"column": name}},
    }
