import pytest

from cifar import files


@pytest.fixture
def page(tmp_path):
    path = tmp_path / "page.txt"
    path.write_text("old and longer")
    return path


def test_a_file_is_replaced_as_a_whole(page):
    with files.replaced(page) as temporary:
        assert temporary.suffix == page.suffix
        temporary.write_text("new")
        assert page.read_text() == "old and longer"
    assert page.read_text() == "new"
    assert list(page.parent.iterdir()) == [page]


@pytest.mark.parametrize("error", [OSError("no space left on device"), KeyboardInterrupt()])
def test_what_is_written_half_leaves_the_file_as_it_was_and_nothing_else(page, error):
    def write_half():
        with files.replaced(page) as temporary:
            temporary.write_text("half")
            raise error

    with pytest.raises(type(error)):
        write_half()
    assert page.read_text() == "old and longer"
    assert list(page.parent.iterdir()) == [page]


def test_what_was_not_written_is_an_error(page):
    with pytest.raises(FileNotFoundError), files.replaced(page):
        pass
    assert page.read_text() == "old and longer"
