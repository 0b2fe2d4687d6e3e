"""What the real modules lack on systems of several ages, and that fitting them mends it and nothing else."""

import pytest

from install.elf import Elf
from install.plan import REPLACEMENTS, fit, lacking
from pipeline.extension_modules import FITTED, sha256
from tests.helpers.extension_modules import (
    DEBIAN_11,
    DEBIAN_12,
    DEBIAN_13,
    LINUX_X86_64,
    RHEL_9,
    UBUNTU_22_04,
    UBUNTU_24_04,
    published_modules,
    system,
)

pytestmark = pytest.mark.skipif(not LINUX_X86_64, reason="only Linux's modules on x86-64 are fitted")


@pytest.fixture(scope="module")
def published(tmp_path_factory) -> dict[str, bytes]:
    modules = published_modules(tmp_path_factory.mktemp("published"))
    return {module.distribution: module.path.read_bytes() for module in modules}


@pytest.fixture(params=["tensorflow-data-validation", "ml-metadata"])
def data(published, request) -> bytes:
    return published[request.param]


def lacks(data, on) -> dict[str, set[str]]:
    libraries = {need.library for need in Elf(data).needs}
    return {lack.version: set(lack.symbols) for lack in lacking(data, on(libraries))}


@pytest.mark.parametrize("on", [DEBIAN_13, UBUNTU_24_04])
def test_a_system_of_the_wheels_own_age_lacks_nothing(data, on):
    assert lacks(data, on) == {}


@pytest.mark.parametrize("on", [DEBIAN_12, UBUNTU_22_04, RHEL_9])
def test_an_older_system_lacks_six_symbols(published, on):
    assert lacks(published["tensorflow-data-validation"], on) == {
        "GLIBC_2.38": {"__isoc23_strtol", "__isoc23_strtoul", "__isoc23_strtoll", "__isoc23_strtoull"},
        "GLIBCXX_3.4.32": {"_ZSt21ios_base_library_initv"},
    }
    assert lacks(published["ml-metadata"], on) == {
        "CXXABI_1.3.15": {"__cxa_call_terminate"},
        "GLIBCXX_3.4.32": {"_ZSt21ios_base_library_initv"},
    }


@pytest.mark.parametrize("on", [DEBIAN_12, UBUNTU_22_04, RHEL_9])
def test_a_fitted_module_lacks_nothing_there(data, on):
    assert lacks(fit(data), on) == {}


def test_a_system_that_is_too_old_lacks_what_the_fitting_cannot_replace(published):
    beyond = lacks(fit(published["tensorflow-data-validation"]), DEBIAN_11)
    assert beyond.keys() == {"GLIBC_2.32", "GLIBC_2.34", "GLIBCXX_3.4.29", "CXXABI_1.3.13"}
    assert "pthread_key_create" in beyond["GLIBC_2.34"]


def test_only_what_lacks_counts_not_the_age(published):
    new_libc = system(38, 30, 13)
    assert lacks(published["tensorflow-data-validation"], new_libc).keys() == {"GLIBCXX_3.4.32"}


def test_a_library_that_is_missing_lacks_all_its_versions(published):
    assert "GLIBCXX_3.4" in lacks(published["ml-metadata"], lambda libraries: {})


def test_the_fitted_bytes_are_the_ones_that_were_tried(data):
    assert sha256(fit(data)) == FITTED[sha256(data)]


def test_fitting_twice_changes_nothing_more(data):
    assert fit(fit(data)) == fit(data)


def test_a_fitted_module_differs_in_the_replaced_symbols_alone(data):
    before, after = Elf(data), Elf(fit(data))
    assert len(fit(data)) == len(data)
    assert len(after.symbols) == len(before.symbols)
    versions = {need.number: (need.library, need.version) for need in before.needs}
    for old, new in zip(before.symbols, after.symbols, strict=True):
        if old.name in REPLACEMENTS:
            assert (new.name, *versions[new.version]) == REPLACEMENTS[old.name]
        else:
            assert new == old
    changed = sum(one != other for one, other in zip(data, fit(data), strict=True))
    assert changed < 100  # of millions


def test_the_modules_do_not_use_the_streams_whose_setting_up_the_fitting_drops(data):
    streams = {"_ZSt4cout", "_ZSt4cerr", "_ZSt4clog", "_ZSt3cin"}
    assert not streams & {symbol.name for symbol in Elf(data).symbols}
