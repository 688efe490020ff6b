"""Mangled names of C++ types are read as c++filt reads them, or stay as they are."""

import shutil
import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vmdiff.elf.type_names import readable

NAMES = [
    "N3app4NodeE",
    "3Foo",
    "N3app5CacheIdEE",
    "N3app5CacheINS_4NodeEEE",
    "St6vectorIiSaIiEE",
    "St6vectorIPN3app4NodeESaIS2_EE",
    "St23_Sp_counted_ptr_inplaceIN3app7SessionESaIvELN9__gnu_cxx12_Lock_policyE2EE",
    "N12_GLOBAL__N_14ImplE",
    "St3mapINSt7__cxx1112basic_stringIcSt11char_traitsIcESaIcEEEiSt4lessIS5_ESaISt4pairIKS5_iEEE",
    "5ArrayIiLi10ELb1EE",
    "5ArrayIPKcLin3EE",
    "St5tupleIJiN3app4NodeEPdEE",
    "3FooIRKS_OiE",
    "10__cxxabiv1",
    "N3app5OuterIiE5InnerE",
]


@pytest.mark.needs_program("c++filt")
@pytest.mark.parametrize("name", NAMES)
def test_a_name_is_read_as_binutils_reads_it(name):
    if shutil.which("c++filt") is None:
        pytest.skip("no binutils")
    told = subprocess.run(["c++filt", "-t", name], capture_output=True, text=True, check=True).stdout.strip()
    assert readable(name).replace(" ", "") == told.replace(" ", "")


@pytest.mark.parametrize("name", ["Z4mainE3Foo", "N3app4workEvEUlvE_", "NSt6threadXE"])
def test_what_is_not_known_stays_mangled(name):
    assert readable(name) == name


@pytest.mark.parametrize("name", ["", "_Zfoo", "99x", "N", "S", "PPPP"])
def test_what_is_cut_off_or_no_name_is_harmless(name):
    assert readable(name) in {None, name}


@given(st.text(alphabet="NSZIEJLPKStabixn_0123456789", max_size=60))
def test_any_text_is_read_or_refused(name):
    found = readable(name)
    assert found is None or found


@given(st.integers(1, 400), st.sampled_from("PRKNIS"))
def test_depth_is_bounded(depth, letter):
    assert readable("3foo" + letter * depth) in {None, "3foo" + letter * depth, "3foo"}
