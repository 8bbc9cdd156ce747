"""How are bytes and trees of data spoilt, in ways that a disk, an editor or a stranger would?"""

from __future__ import annotations

from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

fuzz = settings(
    derandomize=True,  # the same examples in every run: a failure is a finding, not an accident
    database=None,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)

TELLING = (b"", b"\0", b"\n", b"\r\n", b"\xff\xfe", b"\xef\xbb\xbf", b"../", b"/etc/passwd", b",", b'"', b"{", b"[[",
           b"9" * 400, b"1e999", b"nan", b"-1", b"PK\x03\x04", "é😀".encode(), b"\xe9", b"[" * 5000)  # fmt: skip
_edits = st.lists(
    st.tuples(
        st.sampled_from(("replace", "insert", "cut", "truncate", "double", "zero")),
        st.floats(0, 1),
        st.integers(1, 40),
        st.one_of(st.sampled_from(TELLING), st.binary(max_size=12)),
    ),
    min_size=1,
    max_size=4,
)


def spoilt(content: bytes) -> st.SearchStrategy[bytes]:
    """`content` after one to four edits, or something else altogether."""
    return st.one_of(
        _edits.map(lambda edits: _edited(content, edits)), st.sampled_from(TELLING), st.binary(max_size=80)
    )


def _edited(content: bytes, edits: list[tuple[str, float, int, bytes]]) -> bytes:
    for kind, share, length, new in edits:
        at = int(share * len(content))
        rest = content[at + length :]
        match kind:
            case "replace":
                content = content[:at] + new + rest
            case "insert":
                content = content[:at] + new + content[at:]
            case "cut":
                content = content[:at] + rest
            case "truncate":
                content = content[:at]
            case "double":
                content += content[at:]
            case "zero":
                content = content[:at] + bytes(min(length, len(content) - at)) + rest
    return content


scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=12),
    st.sampled_from(("../x", "dan", "rafdb")),
)
anything = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


@st.composite
def altered(draw: st.DrawFn, tree: Any) -> Any:
    """A tree of dicts and lists in which one place holds something else, or is gone."""
    if isinstance(tree, dict) and tree and draw(st.integers(0, 5)):
        key = draw(st.sampled_from(sorted(tree)))
        if draw(st.integers(0, 6)) == 0:
            return {name: value for name, value in tree.items() if name != key}
        if draw(st.integers(0, 9)) == 0:
            return tree | {draw(st.text(max_size=8)): draw(anything)}
        return tree | {key: draw(altered(tree[key]))}
    if isinstance(tree, list) and tree and draw(st.integers(0, 5)):
        place = draw(st.integers(0, len(tree) - 1))
        return [*tree[:place], draw(altered(tree[place])), *tree[place + 1 :]]
    return draw(anything)
