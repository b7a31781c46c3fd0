"""Find the files of a model in a directory, and check them before sherpa-onnx reads them.

Standard library only: the server and the workers both use this module.
"""

import hashlib
import re
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from auricle.engines.onnx_file import BadFile, GraphFile, read_onnx
from auricle.engines.sherpa.kinds import (
    CANARY,
    NEMO_TRANSDUCER,
    STREAMING_NEMO,
    WHISPER,
    Kind,
    kind_of,
)
from auricle.engines.sherpa.languages import find_languages
from auricle.engines.sherpa.ort_file import read_ort
from auricle.engines.sherpa.token_file import Tokens, check_vocabulary, read_tokens
from auricle.values.errors import SetupError

SUPPORTED = (
    "transducers of icefall and NeMo (zipformer, Parakeet), NeMo CTC, Canary, SenseVoice, Whisper "
    "and Moonshine"
)
BPE_VOCABULARY = "bpe.vocab"
MAX_ENTRIES = 10_000
SAMPLED_BYTES = 1 << 20
_ROLES = {
    "preprocessor": r"preprocess(or)?",
    "encode": r"encode",
    "uncached_decoder": r"uncached_decode",
    "cached_decoder": r"cached_decode",
    "merged_decoder": r"decoder_model_merged",
    "encoder": r"(.*[-_.])?encoder([-_.].*)?",
    "decoder": r"(.*[-_.])?decoder([-_.].*)?",
    "joiner": r"(.*[-_.])?joiner([-_.].*)?",
    "model": r"model([-_.].*)?",
}
"""File names without extension and number type, by role; the first that matches counts."""
_SMALL = (".int8", ".fp16", "_int8", "_quantized")
_CANARY_TOKENS = (
    *("<|startofcontext|>", "<|startoftranscript|>", "<|emo:undefined|>", "<|pnc|>", "<|noitn|>"),
    *("<|notimestamp|>", "<|nodiarize|>", "<|endoftext|>"),
)


@dataclass(frozen=True, slots=True)
class ModelFiles:
    """A checked model.

    Attributes:
        kind: Its kind.
        directory: Where its files are.
        graphs: Paths of its graphs by role.
        tokens: Path of its token file.
        bpe_vocabulary: SentencePiece vocabulary, with which words are split for hot words.
        languages: Codes of its languages.
        is_quantised: Whether a job's activations depend on the batch.
        has_attention: Whether a Whisper decoder returns attention, from which word times follow.
        is_spaceless: Whether its tokens are single characters without spaces, as for Chinese.
        is_upper_case: Whether its tokens are in capitals.
        size_mb: Size of its weights in MB.
        revision: Digest of the sizes and parts of its files.
    """

    kind: Kind
    directory: Path
    graphs: Mapping[str, Path]
    tokens: Path
    bpe_vocabulary: Path | None
    languages: frozenset[str]
    is_quantised: bool
    has_attention: bool
    is_spaceless: bool
    is_upper_case: bool
    size_mb: float
    revision: str

    @property
    def has_word_times(self) -> bool:
        """Whether results have the times of words."""
        return self.kind.has_times or self.has_attention

    @property
    def reads_hotwords(self) -> bool:
        """Whether the model can favour words, and the file to split them into tokens is there."""
        return self.kind.reads_hotwords and (self.bpe_vocabulary is not None or self.is_spaceless)


def find_model(model: str | None, compute_type: str = "default") -> ModelFiles:
    """Return the model in a directory, with all its files checked.

    Args:
        model: The directory.
        compute_type: ``float32`` prefers weights that are not quantised, if there are both.

    Raises:
        SetupError: There is no such model, or a file is missing, damaged or of another model.
    """
    if not model:
        raise SetupError(
            "The engine sherpa has no default model. Set AURICLE_MODEL to the directory of a model "
            f"in ONNX: {SUPPORTED}."
        )
    directory = Path(model).expanduser().absolute()
    files = _list(directory)
    paths = _by_role(directory, files, prefers_float=compute_type == "float32")
    graphs = {role: _read_graph(path) for role, path in paths.items()}
    kind = kind_of(graphs)
    if kind is None:
        raise _unsupported(directory, graphs)
    for role, part in kind.parts.items():
        try:
            part.check(graphs[role])
        except BadFile as exc:
            raise _bad(paths[role], f"{exc} ({kind.name})") from exc
    token_path = _token_file(directory, files)
    try:
        tokens = read_tokens(token_path, is_base64=kind.has_base64)
        _check_tokens(kind, tokens, graphs)
    except (BadFile, OSError) as exc:
        raise _bad(token_path, exc) from exc
    metadata = next((each.metadata for each in graphs.values() if each.metadata), {})
    all_paths = [*paths.values(), token_path]
    bpe_path = directory / BPE_VOCABULARY
    if has_bpe := kind.reads_hotwords and bpe_path.name in files:
        all_paths.append(bpe_path)
        try:
            check_vocabulary(bpe_path)
        except (BadFile, OSError) as exc:
            raise _bad(bpe_path, exc) from exc
    return ModelFiles(
        kind=kind,
        directory=directory,
        graphs=paths,
        tokens=token_path,
        bpe_vocabulary=bpe_path if has_bpe else None,
        languages=find_languages(kind, directory, metadata, tokens.numbers),
        is_quantised=any(graph.is_quantised for graph in graphs.values()),
        has_attention=kind is WHISPER and len(graphs["decoder"].outputs) > 3,
        is_spaceless=not any(
            token.startswith("\N{LOWER ONE EIGHTH BLOCK}") for token in tokens.numbers
        ),
        is_upper_case=not any(
            token.islower() for token in tokens.numbers if not token.startswith("<")
        ),
        size_mb=sum(graph.size_bytes for graph in graphs.values()) / 1e6,
        revision=_revision(all_paths),
    )


def _list(directory: Path) -> dict[str, Path]:
    """Return the files of a directory by name."""
    try:
        entries = []
        for entry in directory.iterdir():
            entries.append(entry)
            if len(entries) > MAX_ENTRIES:
                raise SetupError(f"{directory} has too many files for the directory of a model.")
        return {path.name: path for path in sorted(entries) if stat.S_ISREG(path.stat().st_mode)}
    except FileNotFoundError as exc:
        raise SetupError(
            f"{exc.filename} does not exist. Set AURICLE_MODEL to the directory of a model in "
            f"ONNX: {SUPPORTED}."
        ) from exc
    except OSError as exc:
        raise SetupError(f"{directory} cannot be read: {exc.strerror}.") from exc


def _by_role(directory: Path, files: Mapping[str, Path], *, prefers_float: bool) -> dict[str, Path]:
    """Return the graphs by role: of two number types, the smaller one unless float is preferred."""
    candidates: dict[str, dict[bool, list[Path]]] = {}
    for path in files.values():
        if path.suffix not in (".onnx", ".ort"):
            continue
        stem = path.stem
        is_small = path.suffix == ".ort" or stem.endswith(_SMALL)
        for suffix in _SMALL:
            stem = stem.removesuffix(suffix)
        for role, pattern in _ROLES.items():
            if re.fullmatch(pattern, stem):
                candidates.setdefault(role, {}).setdefault(is_small, []).append(path)
                break
    if not candidates:
        raise SetupError(
            f"There is no model in {directory}: no .onnx or .ort file has a known name. The engine "
            f"sherpa runs {SUPPORTED}."
        )
    if "merged_decoder" in candidates:
        candidates.pop("decoder", None)
    elif {"encoder", "decoder"} <= candidates.keys():
        candidates.pop("model", None)
    chosen = {}
    for role, by_size in candidates.items():
        paths = by_size.get(not prefers_float) or by_size[prefers_float]
        if len(paths) > 1:
            names = ", ".join(path.name for path in paths)
            raise SetupError(
                f"{directory} has several files for the {role}: {names}. Keep one of them."
            )
        chosen[role] = paths[0]
    return chosen


def _token_file(directory: Path, files: Mapping[str, Path]) -> Path:
    names = [name for name in files if name == "tokens.txt" or name.endswith("-tokens.txt")]
    if len(names) != 1:
        raise SetupError(
            f"{directory} must have one token file, tokens.txt; it has {len(names)}. Get the "
            "model's files again."
        )
    return files[names[0]]


def _read_graph(path: Path) -> GraphFile:
    try:
        return read_ort(path) if path.suffix == ".ort" else read_onnx(path)
    except (BadFile, OSError) as exc:
        raise _bad(path, exc) from exc


def _check_tokens(kind: Kind, tokens: Tokens, graphs: Mapping[str, GraphFile]) -> None:
    """Check that a token file belongs to the graphs.

    Raises:
        BadFile: It is the file of another model.
    """
    sizes = [
        each.metadata["vocab_size"] for each in graphs.values() if "vocab_size" in each.metadata
    ]
    size = int(sizes[0]) if sizes else 0
    is_nemo = kind in (NEMO_TRANSDUCER, STREAMING_NEMO)
    if is_nemo:
        size += 1  # NeMo does not count the blank
        if tokens.numbers.get("<blk>") != size - 1:
            raise BadFile(f"its token <blk> must have the number {size - 1}")
    if tokens.count != size if is_nemo or kind is CANARY else tokens.count < size:
        raise BadFile(f"it has {tokens.count} tokens instead of {size}; it is of another model")
    if kind is CANARY and (
        missing := [each for each in _CANARY_TOKENS if each not in tokens.numbers]
    ):
        raise BadFile(f"it lacks the token {missing[0]}; it is of another model")


def _revision(paths: list[Path]) -> str:
    """Return a digest of the files' names, sizes and outer parts."""
    digest = hashlib.sha256()
    for path in sorted(paths):
        try:
            with path.open("rb") as file:
                size = path.stat().st_size
                digest.update(f"{path.name} {size}\n".encode())
                digest.update(file.read(SAMPLED_BYTES))
                file.seek(max(size - SAMPLED_BYTES, 0))
                digest.update(file.read(SAMPLED_BYTES))
        except OSError as exc:
            raise _bad(path, exc) from exc
    return digest.hexdigest()


def _bad(path: Path, reason: Exception | str) -> SetupError:
    text = reason.strerror if isinstance(reason, OSError) else str(reason)
    return SetupError(f"{path} cannot be used: {text}. Get the model's files again.")


def _unsupported(directory: Path, graphs: Mapping[str, GraphFile]) -> SetupError:
    model_type = next((each.metadata.get("model_type", "") for each in graphs.values()), "")
    described = f" of the type {model_type[:40]!r}" if model_type else ""
    return SetupError(
        f"The model in {directory}{described} is not supported, or a file is missing: it has the "
        f"parts {', '.join(sorted(graphs))}. The engine sherpa runs {SUPPORTED}."
    )
