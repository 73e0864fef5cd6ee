"""A pickle is read as data: what would call anything is refused, and nothing runs."""

import builtins
import copyreg
import os
import pickle
import struct
from collections import OrderedDict
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pelnas.errors import UnreadableError
from pelnas.inputs.pickles import Array, parse_pickle, read_pickle

PROTOCOLS = range(pickle.HIGHEST_PROTOCOL + 1)
PLAIN = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**62), 2**62)
    | st.text()
    | st.floats(allow_nan=False),
    lambda inside: (
        st.lists(inside) | st.dictionaries(st.text(), inside) | st.tuples(inside, inside)
    ),
    max_leaves=20,
)


class TestData:
    @settings(deadline=None)
    @given(PLAIN, st.sampled_from(PROTOCOLS))
    def test_plain_data_come_back_as_they_were(self, value: Any, protocol: int) -> None:
        assert parse_pickle(pickle.dumps(value, protocol)) == value

    @pytest.mark.parametrize("protocol", PROTOCOLS)
    @pytest.mark.parametrize(
        "values",
        [
            np.arange(6.0).reshape(2, 3),
            np.asfortranarray(np.arange(6.0).reshape(2, 3)),
            np.array([1, -2], ">i4"),
            np.array([True, False]),
            np.array([], np.float32),
            np.array(3.5),
        ],
    )
    def test_arrays_of_numbers_come_back(self, values: np.ndarray, protocol: int) -> None:
        found = parse_pickle(pickle.dumps({"a": values}, protocol))["a"]
        assert isinstance(found, Array)
        assert found.values is not None
        assert np.array_equal(found.values, values)
        assert found.values.shape == values.shape

    @pytest.mark.parametrize("protocol", PROTOCOLS)
    def test_numbers_of_numpy_and_ordered_dicts_are_plain(self, protocol: int) -> None:
        given_ = OrderedDict(a=np.float64(1.5), b=[np.int32(-7)], c=b"\xff")
        assert parse_pickle(pickle.dumps(given_, protocol)) == {"a": 1.5, "b": [-7], "c": b"\xff"}

    def test_a_list_that_is_named_twice_is_the_same(self) -> None:
        one = [1.0]
        first, second = parse_pickle(pickle.dumps([one, one]))
        assert first is second

    def test_a_file_is_read(self, tmp_path: Path) -> None:
        (tmp_path / "a.pickle").write_bytes(pickle.dumps({"x": 1}))
        assert read_pickle(tmp_path / "a.pickle") == {"x": 1}
        with pytest.raises(UnreadableError, match="more than 3 bytes"):
            read_pickle(tmp_path / "a.pickle", limit=3)


class Calls:
    """Pickles as a call of a function."""

    def __init__(self, function: Callable[..., Any], *arguments: Any) -> None:
        self.call = (function, arguments)

    def __reduce__(self) -> Any:
        return self.call


class Plain:
    """An object with a state."""

    def __init__(self) -> None:
        self.value = 1


class TestHostile:
    @pytest.fixture(autouse=True)
    def mark(self, tmp_path: Path) -> Any:
        """A file that only a payload that ran would have made."""
        self.trace = tmp_path / "ran"
        yield
        assert not self.trace.exists()

    @pytest.mark.parametrize("protocol", PROTOCOLS)
    def test_a_call_is_refused_by_its_name(self, protocol: int) -> None:
        touch = f"open({str(self.trace)!r}, 'w')"
        for function, argument, name in (
            (os.system, f"touch {self.trace}", "system"),
            (builtins.eval, touch, "eval"),
            (builtins.exec, touch, "exec"),
            (builtins.getattr, "x", "getattr"),
            (builtins.__import__, "os", "__import__"),
        ):
            payload = pickle.dumps([1.0, Calls(function, argument)], protocol)
            with pytest.raises(UnreadableError, match=rf"would call .*\.{name}$"):
                parse_pickle(payload)

    @pytest.mark.parametrize("protocol", PROTOCOLS)
    def test_objects_are_refused(self, protocol: int) -> None:
        for value in (Plain(), Path("x"), {1, 2}, complex(1, 2), np.random.default_rng(0)):
            with pytest.raises(UnreadableError, match=r"would call|the instruction"):
                parse_pickle(pickle.dumps(value, protocol))

    @pytest.mark.parametrize(
        "values",
        [
            np.array([Calls(os.system, "false")], dtype=object),
            np.array(["text"]),
            np.zeros(2, dtype=[("a", "f8")]),
            np.array(["2020-01-01"], "M8[D]"),
        ],
    )
    def test_arrays_of_anything_but_numbers_are_refused(self, values: np.ndarray) -> None:
        for protocol in PROTOCOLS:
            with pytest.raises(UnreadableError, match=r"no plain numbers|would call"):
                parse_pickle(pickle.dumps(values, protocol))

    @pytest.mark.parametrize("core", ["core", "_core"])
    def test_reconstruct_makes_nothing_but_an_empty_array(self, core: str) -> None:
        name = f"cnumpy.{core}.multiarray\n_reconstruct\n".encode()
        for arguments in (
            b"(cnumpy\nndarray\n(I1000000000000\nttR.",  # terabytes
            b"(cnumpy\ndtype\n(I0\ntS'b'\ntR.",  # another class
            b"(cnumpy\nndarray\n(I0\ntS'O'\nI1\ntR.",  # one argument too many
            b"(I1\nI2\nI3\ntR.",
        ):
            with pytest.raises(UnreadableError):
                parse_pickle(name + arguments)

    def test_a_state_that_claims_more_than_there_is_is_refused(self) -> None:
        good = pickle.dumps(np.arange(4.0), 2)
        assert good.count(b"K\x04\x85") == 1  # the shape (4,)
        huge = good.replace(b"K\x04\x85", b"J\xff\xff\xff\x7f\x85")
        with pytest.raises(UnreadableError, match="shape"):
            parse_pickle(huge)
        for shape in (b"K\x03\x85", b"J\xff\xff\xff\xff\x85"):
            with pytest.raises(UnreadableError):
                parse_pickle(good.replace(b"K\x04\x85", shape))

    @pytest.mark.parametrize(
        ("payload", "said"),
        [
            (b"\x80\x04\x8c\x02os\x94\x8c\x06system\x94\x93\x94.", r"os\.system"),
            (b"\x80\x04\x8c\x05numpy\x8c\x10ndarray.__init__\x93.", "would call"),  # dotted name
            (b"\x80\x04\x8c\x05numpy\x8c\x08f2py.run\x93.", "would call"),
            (b"\x80\x04]K\x01\x93.", "would call"),  # names that are no text
            (b"\x80\x02\x82\x01.", "EXT1"),
            (b"\x80\x02\x83\x01\x00.", "EXT2"),
            (b"\x80\x02\x84\x01\x00\x00\x00.", "EXT4"),
            (b"Psome id\n.", "PERSID"),
            (b"K\x01Q.", "BINPERSID"),
            (b"(ios\nsystem\n.", "INST"),
            (b"(cos\nsystem\no.", r"os\.system|OBJ"),
            (b"\x80\x02ccopyreg\n_reconstructor\n.", r"copyreg\._reconstructor"),
            (b"\x80\x02cnumpy\nndarray\n)\x81.", "NEWOBJ"),
            (b"\x80\x04cnumpy\nndarray\n)}\x92.", "NEWOBJ_EX"),
            (b"\x80\x05\x97.", "NEXT_BUFFER"),
            (b"cnumpy\nndarray\n.", "names instead of data"),
            (b"cnumpy\ndtype\n(S'O8'\ntR.", "no plain numbers"),
            (b"c_codecs\nencode\n(Vx\nS'rot13'\ntR.", "another coding"),
            (b"}}b.", "sets the state"),
            (b"]]K\x01s.", "no dict|no pickle"),
            (b"}(]K\x01u.", "neither text nor numbers"),
            (b"}a.", "no list|no pickle"),
            (b"g5\n.", "no pickle"),
            (b"0.", "no pickle"),
            (b".", "no pickle"),
            (b"", "no pickle"),
            (b"\x80\x04X\xff\xff\xff\x7fabc.", "no pickle"),  # 2 GiB of text in 3 bytes
            (b"\x80\x04\x8e" + struct.pack("<Q", 2**62) + b"ab.", "no pickle"),
            (b"\x80\x02\x8b\x20\x00\x00\x00" + b"\x01" * 32 + b".", "64 bits"),
            (b"\x80\x02r\xff\xff\xff\xff.", "no pickle"),  # a place in the memo for nothing
            (b"]" * 100 + b"a" * 99 + b".", "levels"),
            (b"]q\x00h\x00a" * 1 + b".", None),  # a list in itself
        ],
    )
    def test_what_plain_data_lack_is_refused(self, payload: bytes, said: str | None) -> None:
        if said is None:
            assert isinstance(parse_pickle(payload), list)
            return
        with pytest.raises(UnreadableError, match=said):
            parse_pickle(payload)

    def test_a_place_far_up_in_the_memo_takes_no_memory(self) -> None:
        assert parse_pickle(b"\x80\x02]r\xff\xff\xff\x7f.") == []

    def test_a_registered_extension_is_not_looked_up(self) -> None:
        copyreg.add_extension("os", "system", 240)
        try:
            payload = b"\x80\x02\x82\xf0(S'touch " + str(self.trace).encode() + b"'\ntR."
            with pytest.raises(UnreadableError, match="EXT1"):
                parse_pickle(payload)
        finally:
            copyreg.remove_extension("os", "system", 240)

    @settings(deadline=None)
    @given(st.binary(max_size=200))
    def test_any_bytes_are_read_or_refused(self, content: bytes) -> None:
        with suppress(UnreadableError):
            parse_pickle(content)

    @settings(deadline=None)
    @given(st.data())
    def test_a_damaged_pickle_is_read_or_refused(self, data: st.DataObject) -> None:
        good = bytearray(pickle.dumps({"a": [1.0, 2.0], "b": np.arange(3.0)}, 4))
        for _ in range(data.draw(st.integers(1, 4))):
            good[data.draw(st.integers(0, len(good) - 1))] = data.draw(st.integers(0, 255))
        with suppress(UnreadableError):
            parse_pickle(bytes(good))
