from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sideband.app.corpus import Skipped
from sideband.app.files import SUFFIXES
from sideband.app.web import uploads
from sideband.app.web.uploads import Limits, Upload, UploadRefusedError

BOUNDARY = "sixteen-and-more"
TYPE = f"multipart/form-data; boundary={BOUNDARY}"


def body(*files: tuple[str, bytes]) -> bytes:
    """Return a form's body as browsers write it."""
    parts = [
        b'--%b\r\nContent-Disposition: form-data; name="files"; filename="%b"\r\n'
        b"Content-Type: application/octet-stream\r\n\r\n%b\r\n"
        % (BOUNDARY.encode(), name.replace('"', "%22").encode("utf-8", "surrogateescape"), content)
        for name, content in files
    ]
    return b"".join(parts) + b"--%b--\r\n" % BOUNDARY.encode()


def upload(folder: Path, *files: tuple[str, bytes], limits: Limits | None = None, size: int = 7) -> Upload:
    """Send files in pieces."""
    found = Upload(TYPE, limits or Limits(), folder)
    sent = body(*files)
    for start in range(0, len(sent), size):
        found.write(sent[start : start + size])
    found.finish()
    return found


def documents(found: Upload) -> dict[str, str]:
    """Return the text of each file by the name of its document, or why there is none."""
    corpus = found.corpus()
    try:
        read = [(part.name, part.read()) for part in corpus.parts]
    finally:
        corpus.close()
    return {
        name if isinstance(result, Skipped) else result[0].id: (
            result.reason if isinstance(result, Skipped) else result[0].text
        )
        for name, result in read
    }


def test_files_become_documents_under_the_names_they_were_sent_with(tmp_path: Path) -> None:
    """What is indexed is the file's text; its title is its own, or its name without the folders."""
    found = upload(tmp_path, ("docs/a.md", b"# Apples\n\nRed."), ("docs/b.txt", b"Bananas"))

    assert documents(found) == {"docs/a.md": "# Apples\n\nRed.", "docs/b.txt": "Bananas"}
    titles = [part.read()[0].metadata["title"] for part in found.corpus().parts]  # type: ignore[index]
    assert titles == ["Apples", "b.txt"]
    assert found.title == "docs (2 files)"


HOSTILE = [
    "/etc/cron.d/job.txt",
    "..\\..\\windows\\system.txt",
    "C:\\autoexec.txt",
    "<img src=x onerror=alert(1)>.txt",
    "a\nContent-Type: evil.txt",
    "con.txt",
    "\udcff\udcfe.txt",
    "a" * 300 + ".txt",
    "nul\x00byte.txt",
    "\u202egnp.txt",
]


@pytest.mark.parametrize("name", HOSTILE)
def test_a_name_is_no_path(tmp_path: Path, name: str) -> None:
    """Whatever a file is called, it lies in the private folder under a name of ours."""
    folder = tmp_path / "private"
    folder.mkdir()

    found = upload(folder, (name.replace("\n", "%0A"), b"text"))

    on_disk = [path.relative_to(folder).as_posix() for path in tmp_path.rglob("*") if path.is_file()]
    assert [path.partition("/")[2] for path in on_disk] == ["000000.txt"]
    assert all(character.isprintable() for character in found.files[0].name)
    found.remove()
    assert not list(folder.iterdir())


@given(name=st.text(max_size=60), suffix=st.sampled_from([*SUFFIXES, ".exe", ""]))
def test_no_name_leads_out_of_the_private_folder(
    tmp_path_factory: pytest.TempPathFactory, name: str, suffix: str
) -> None:
    """For any name at all: what lies on disk is one file of a number at most."""
    folder = tmp_path_factory.mktemp("private")
    sent = (name + suffix).replace("\r", "%0D").replace("\n", "%0A")

    try:
        upload(folder, (sent.encode("utf-8", "replace").decode(), b"x"))
    except UploadRefusedError:
        return  # no file, as a browser's that was not chosen

    lying = [path.name for path in folder.rglob("*") if path.is_file()]
    assert lying in ([], [f"000000{suffix}"], *[[f"000000{one}"] for one in SUFFIXES])


def test_a_file_of_an_unknown_kind_is_skipped_with_a_reason(tmp_path: Path) -> None:
    """It is named, and nothing of it is kept."""
    found = upload(tmp_path, ("tool.exe", b"MZ" * 99), ("a.txt", b"text"))

    assert "of a kind that is not read" in documents(found)["tool.exe"]
    assert [path.name for path in tmp_path.rglob("*.*")] == ["000001.txt"]


def test_what_a_folder_is_not_indexed_for_is_passed_over(tmp_path: Path) -> None:
    """Hidden files, packages of others and files of other kinds do not count."""
    files = [
        "p/.git/config.txt",
        "p/../../etc/passwd.txt",
        "p/node_modules/a/readme.md",
        "p/.hidden.md",
        "p/picture.png",
        "p/x.md",
    ]

    found = upload(tmp_path, *[(name, b"text") for name in files])

    assert [file.name for file in found.files] == ["p/x.md"]


def test_a_file_that_is_too_big_is_skipped_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The others of the request are indexed, and the big one leaves nothing on disk."""
    monkeypatch.setattr(uploads, "size_limit", lambda _: 1000)

    found = upload(tmp_path, ("big.txt", b"x" * 1001), ("fits.txt", b"x" * 1000), size=100)

    assert documents(found)["big.txt"].startswith("too big: at most")
    assert len(documents(found)["fits.txt"]) == 1000
    assert [path.name for path in tmp_path.rglob("*.txt")] == ["000001.txt"]


def test_files_of_one_name_are_told_apart(tmp_path: Path) -> None:
    """Two different files that share a name are both indexed."""
    found = upload(tmp_path, ("a.txt", b"one"), ("a.txt", b"two"))

    assert documents(found) == {"a.txt": "one", "a (2).txt": "two"}


@pytest.mark.parametrize(
    ("limits", "message"),
    [
        (Limits(bytes=300), "more than 0 MiB"),
        (Limits(files=2), "more than 2 files"),
    ],
)
def test_a_request_that_is_too_big_is_refused(tmp_path: Path, limits: Limits, message: str) -> None:
    """As a whole it is bounded in bytes and in files."""
    with pytest.raises(UploadRefusedError, match=message) as refused:
        upload(tmp_path, ("a.txt", b"x" * 50), ("b.txt", b"x" * 50), ("c.txt", b"x" * 50), limits=limits)

    assert refused.value.status == 413


@pytest.mark.parametrize(
    "kind", ["", "text/plain", "multipart/form-data", "multipart/form-data; boundary=" + "x" * 500]
)
def test_what_is_no_form_is_refused(tmp_path: Path, kind: str) -> None:
    """A body of another kind is not read at all."""
    with pytest.raises(UploadRefusedError):
        Upload(kind, Limits(), tmp_path)


@pytest.mark.parametrize("sent", [b"", b"no form", body(("a.txt", b"text"))[:-9], body(("", b""))])
def test_a_body_that_is_broken_or_empty_is_refused(tmp_path: Path, sent: bytes) -> None:
    """It ends too early, is no form, or has no file in it."""
    found = Upload(TYPE, Limits(), tmp_path)

    with pytest.raises(UploadRefusedError) as refused:
        found.write(sent)
        found.finish()

    assert refused.value.status == 400
    found.remove()


@given(st.binary(max_size=400))
def test_any_bytes_are_taken_or_refused(tmp_path_factory: pytest.TempPathFactory, sent: bytes) -> None:
    """No body brings about another error than the one that says it is not taken."""
    found = Upload(TYPE, Limits(), tmp_path_factory.mktemp("private"))
    try:
        found.write(f"--{BOUNDARY}\r\n".encode() + sent)
        found.finish()
    except UploadRefusedError:
        pass
    finally:
        found.remove()
