"""Images are drawn evenly, decoded lazily, and refused with one sentence."""

import os
import pickle
from collections.abc import Iterator, Sequence
from io import BytesIO
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from pyarrow import parquet

from pelnas.errors import ImagesError
from pelnas.images import ImageSet, load_images
from pelnas.images.arrays import ArraySource
from pelnas.images.base import Pixels, encode
from pelnas.images.depth import SAMPLE, Depth

COLOURS = {"blue": (0, 0, 250), "green": (0, 250, 0), "red": (250, 0, 0)}


def encoded(colour: tuple[int, int, int], size: tuple[int, int] = (12, 12)) -> bytes:
    file = BytesIO()
    Image.new("RGB", size, colour).save(file, "PNG")
    return file.getvalue()


def write_folder(root: Path, each: int = 4) -> Path:
    for name, colour in COLOURS.items():
        (root / name).mkdir(parents=True)
        for index in range(each):
            (root / name / f"{index}.png").write_bytes(encoded(colour))
    return root


def write_table(path: Path, columns: dict[str, object]) -> Path:
    parquet.write_table(pa.table(columns), path)
    return path


def colours_of(images: ImageSet, indices: list[int]) -> list[tuple[int, ...]]:
    return [tuple(image[:, 0, 0].tolist()) for image in images.pixels(indices)]


def everything(images: ImageSet) -> list[int]:
    return list(range(len(images.labels)))


class TestDigits:
    def test_they_are_the_default_and_grey_in_three_channels(self) -> None:
        digits = load_images(None, 32)
        assert (digits.name, digits.classes, len(digits.labels)) == ("digits", 10, 1797)
        pixels = digits.pixels([0])
        assert pixels.shape == (1, 3, 32, 32)
        assert (pixels[0, 0] == pixels[0, 1]).all()

    def test_at_their_own_size_they_are_the_published_pixels(self) -> None:
        from sklearn.datasets import load_digits

        drawn = load_images(None, 8).pixels([5, 0]).astype(float)
        published = load_digits().images[[5, 0]]
        np.testing.assert_array_equal(np.rint(drawn[:, 0] * 16 / 255), published)

    def test_a_batch_is_normalised_and_even(self) -> None:
        images, labels = load_images(None, 16).batch(100, seed=3)
        assert images.dtype == np.float32
        assert labels.dtype == np.int64
        assert np.bincount(labels).tolist() == [10] * 10
        assert abs(images.mean()) < 0.1
        assert abs(images.std() - 1) < 0.1

    def test_normalising_its_sample_gives_mean_0_and_variance_1(self) -> None:
        digits = load_images(None, 8)
        order = np.random.default_rng(0).permutation(1797)[:512]
        normal = digits.normalise(digits.pixels(order))
        np.testing.assert_allclose(normal.mean(axis=(0, 2, 3)), 0, atol=1e-5)
        np.testing.assert_allclose(normal.std(axis=(0, 2, 3)), 1, atol=1e-5)


class TestBatch:
    def test_equal_seeds_give_equal_batches_and_others_do_not(self) -> None:
        digits = load_images(None, 8)
        first, again, other = (digits.batch(20, seed)[0] for seed in (1, 1, 2))
        np.testing.assert_array_equal(first, again)
        assert not np.array_equal(first, other)

    def test_every_prefix_is_as_even_as_it_can_be(self) -> None:
        _, labels = load_images(None, 8).batch(35, seed=0)
        for length in range(1, 36):
            counts = np.bincount(labels[:length], minlength=10)
            assert counts.max() - counts.min() <= 1

    def test_a_small_class_is_used_up_and_the_others_fill_the_batch(self, tmp_path: Path) -> None:
        folder = write_folder(tmp_path, each=5)
        for index in range(1, 5):
            (folder / "red" / f"{index}.png").unlink()
        _, labels = load_images(folder, 8).batch(9, seed=0)
        assert np.bincount(labels).tolist() == [4, 4, 1]

    @pytest.mark.parametrize("count", [0, -1, 1798])
    def test_more_than_there_are_is_refused(self, count: int) -> None:
        with pytest.raises(ImagesError, match=f"1 to 1797 images of digits, found {count}"):
            load_images(None, 8).batch(count, seed=0)

    def test_only_what_is_drawn_is_decoded(self) -> None:
        class Recording(ArraySource):
            decoded: list[int] = []

            def read(self, indices: Sequence[int], shape: tuple[int, int, int]) -> Iterator[Pixels]:
                self.decoded.extend(indices)
                return super().read(indices, shape)

        values = np.arange(2000) % 2
        pixels = np.broadcast_to(np.arange(2000, dtype=np.uint8)[:, None, None], (2000, 8, 8))
        source = Recording("many", pixels, encode(values, "many"))
        images = ImageSet.of(source, 8, 8)
        assert source.decoded == []
        images.batch(6, seed=0)
        assert len(source.decoded) == 6 + 512  # and the sample for mean and spread, once
        images.batch(6, seed=1)
        assert len(source.decoded) == 6 + 512 + 6

    def test_pixels_come_in_the_order_and_number_asked_for(self, tmp_path: Path) -> None:
        images = load_images(write_folder(tmp_path), 8)
        assert colours_of(images, [8, 0, 8]) == [COLOURS[name] for name in ("red", "blue", "red")]

    def test_a_set_may_be_sent_to_another_process(self) -> None:
        digits = load_images(None, 8)
        copy = pickle.loads(pickle.dumps(digits))  # noqa: S301 - our own bytes
        np.testing.assert_array_equal(copy.batch(5, 0)[0], digits.batch(5, 0)[0])


class TestFolder:
    def test_classes_are_the_folders_in_order(self, tmp_path: Path) -> None:
        images = load_images(write_folder(tmp_path / "flowers"), 8)
        assert (images.name, images.class_names) == ("flowers", ("blue", "green", "red"))
        assert colours_of(images, [0, 4, 8]) == list(COLOURS.values())
        assert images.test is None

    def test_train_and_test_folders_are_a_split(self, tmp_path: Path) -> None:
        write_folder(tmp_path / "train", each=3)
        write_folder(tmp_path / "test", each=2)
        images = load_images(tmp_path, 8)
        assert images.class_names == ("blue", "green", "red")
        assert images.test is not None
        assert (len(images.train), len(images.test)) == (9, 6)
        assert sorted(images.labels[images.test].tolist()) == [0, 0, 1, 1, 2, 2]
        train, test = images.train_test(0.5, seed=0)
        assert train.tolist() == images.train.tolist()
        assert test.tolist() == images.test.tolist()

    def test_hidden_folders_and_other_files_are_passed_over(self, tmp_path: Path) -> None:
        folder = write_folder(tmp_path)
        (folder / ".cache").mkdir()
        (folder / "red" / "notes.txt").write_text("not an image")
        (folder / "red" / "more").mkdir()
        (folder / "red" / "more" / "deep.png").write_bytes(encoded(COLOURS["red"]))
        assert np.bincount(load_images(folder, 8).labels).tolist() == [4, 4, 5]

    def test_what_systems_leave_beside_images_is_passed_over(self, tmp_path: Path) -> None:
        folder = write_folder(tmp_path)
        left = ("red/.ipynb_checkpoints", "red/@eaDir/0.png", "__MACOSX", "blue/deep/__MACOSX")
        for place in left:
            (folder / place).mkdir(parents=True)
            (folder / place / "more.png").write_bytes(encoded(COLOURS["red"]))
        (folder / "green" / "._0.png").write_bytes(b"Mac OS X")
        (folder / "green" / "Thumbs.db").write_bytes(b"of Windows")
        images = load_images(folder, 8)
        assert np.bincount(images.labels).tolist() == [4, 4, 4]
        images.batch(12, seed=0)

    @pytest.mark.parametrize(
        "parts",
        [
            ("Training", "Testing"),
            ("Train", "Test"),
            ("train", "val", "figures"),
            ("TRAIN", "valid"),
            ("train", "Validation"),
            ("train", "hold-out"),
            ("train_images", "test_images"),
            ("evaluation", "testset"),
            ("seg_train", "seg_test"),
            ("train2017", "val2017"),
            ("dev", "other"),
            ("Training",),
        ],
    )
    def test_parts_of_a_split_never_become_classes(
        self, tmp_path: Path, parts: tuple[str, ...]
    ) -> None:
        for part in parts:
            write_folder(tmp_path / part, each=1)
        with pytest.raises(ImagesError, match="may be parts of a split") as refused:
            load_images(tmp_path, 8)
        assert f"such as {tmp_path / parts[0]}" in str(refused.value)
        assert load_images(tmp_path / parts[0], 8).class_names == tuple(sorted(COLOURS))

    def test_a_folder_of_tests_beside_classes_is_no_class(self, tmp_path: Path) -> None:
        (write_folder(tmp_path) / "test").mkdir()
        (tmp_path / "test" / "1.png").write_bytes(encoded(COLOURS["red"]))
        with pytest.raises(ImagesError, match="may be parts of a split beside blue, green, red"):
            load_images(tmp_path, 8)

    def test_a_train_is_a_class_where_images_lie_in_it(self, tmp_path: Path) -> None:
        for name in ("bus", "train", "steam train"):
            (tmp_path / name).mkdir()
            (tmp_path / name / "0.png").write_bytes(encoded(COLOURS["red"]))
        assert load_images(tmp_path, 8).class_names == ("bus", "steam train", "train")

    def test_a_held_out_folder_that_is_no_class_is_refused(self, tmp_path: Path) -> None:
        write_folder(tmp_path / "train", each=1)
        (tmp_path / "test" / "images").mkdir(parents=True)
        (tmp_path / "test" / "images" / "0.png").write_bytes(encoded(COLOURS["red"]))
        with pytest.raises(ImagesError, match="found the class images among held-out ones alone"):
            load_images(tmp_path, 8)

    def test_the_middle_square_is_cut_out(self, tmp_path: Path) -> None:
        folder = write_folder(tmp_path)
        wide = Image.new("RGB", (36, 12), COLOURS["red"])
        wide.paste(COLOURS["blue"], (12, 0, 24, 12))
        wide.save(folder / "blue" / "0.png")
        pixels = load_images(folder, 12).pixels([0])[0]
        assert {tuple(p) for p in pixels.reshape(3, -1).T.tolist()} == {COLOURS["blue"]}

    @pytest.mark.parametrize(
        ("mode", "colour", "expected"),
        [
            ("L", 100, (100, 100, 100)),
            ("I;16", 65535, (255, 255, 255)),
            ("RGBA", (9, 8, 7, 0), (9, 8, 7)),
            ("1", 1, (255, 255, 255)),
        ],
    )
    def test_every_kind_of_pixel_becomes_three_bytes(
        self, tmp_path: Path, mode: str, colour: object, expected: tuple[int, ...]
    ) -> None:
        folder = write_folder(tmp_path)
        Image.new(mode, (9, 9), colour).save(folder / "blue" / "0.png")  # type: ignore[arg-type]
        assert colours_of(load_images(folder, 8), [0]) == [expected]

    @pytest.mark.parametrize(
        ("kind", "scale", "white"),
        [
            ("float32", 1.0, 1.0),
            ("float32", 255.0, 255.0),
            ("int32", 255, 255),
            ("int32", 4095, 4095),
            ("uint16", 200, 255),
            ("uint16", 60000, 65535),
        ],
    )
    def test_deep_pixels_are_read_on_the_scale_of_bytes(
        self, tmp_path: Path, kind: str, scale: float, white: float
    ) -> None:
        """One scale for all: a dark image of a set stays darker than a bright one."""
        for name, share in (("bright", 1.0), ("dark", 0.01)):
            (tmp_path / name).mkdir()
            pixels = np.linspace(0, share * scale, 64).reshape(8, 8).astype(kind)
            Image.fromarray(pixels).save(tmp_path / name / "0.tif")
        images = load_images(tmp_path, 8)
        tops = images.pixels([0, 1]).max(axis=(1, 2, 3))
        step = 255 / white if kind != "float32" else 0.01  # whole numbers were cut to fit
        np.testing.assert_allclose(tops, [255 * scale / white, 2.55 * scale / white], atol=step)
        assert np.isfinite(images.batch(2, 0)[0]).all()

    @pytest.mark.parametrize(
        ("pixels", "message"),
        [
            (np.full((9, 9), 4000.0, np.float32), r"0 to 255, .* found 0 to 4000: scale all"),
            (np.full((9, 9), -0.5, np.float32), r"found -0.5 to 0: scale all images alike"),
            (np.full((9, 9), 70_000, np.int32), r"0 to 65535 .* found 0 to 70000"),
            (np.full((9, 9), -3, np.int32), r"0 to 65535 .* found -3 to 0"),
            (np.full((9, 9), 1000, np.uint16), None),
        ],
    )
    def test_deep_pixels_on_no_known_scale_are_refused(
        self, tmp_path: Path, pixels: np.ndarray, message: str | None
    ) -> None:
        for name in ("a", "b"):
            (tmp_path / name).mkdir()
            Image.fromarray(pixels).save(tmp_path / name / "0.tif")
        if message is None:
            assert load_images(tmp_path, 8).pixels([0]).max() > 200
            return
        with pytest.raises(ImagesError, match=message):
            load_images(tmp_path, 8)

    def test_floats_beside_whole_numbers_have_no_common_scale(self, tmp_path: Path) -> None:
        for name, kind in (("a", "float32"), ("b", "uint16")):
            (tmp_path / name).mkdir()
            Image.fromarray(np.eye(9).astype(kind)).save(tmp_path / name / "0.tif")
        with pytest.raises(ImagesError, match="one kind of pixels"):
            load_images(tmp_path, 8)

    def test_pixels_unlike_those_of_the_sample_are_refused_by_name(self, tmp_path: Path) -> None:
        for name in ("a", "b"):
            (tmp_path / name).mkdir()
            for number in range(SAMPLE):  # of which the sample takes every other one
                Image.fromarray(np.eye(9, dtype=np.uint8) * 255).save(
                    tmp_path / name / f"{number:03}.tif"
                )
        odd = tmp_path / "a" / "001.tif"
        Image.fromarray(np.eye(9, dtype=np.float32)).save(odd)
        images = load_images(tmp_path, 8)
        with pytest.raises(ImagesError, match=r"of 8 bits as in the other .*001\.tif"):
            images.pixels([1])
        Image.fromarray(np.full((9, 9), np.nan, np.float32)).save(odd)
        with pytest.raises(ImagesError, match=r"NaN or infinity in .*001\.tif"):
            images.pixels([1])

    def test_signed_bytes_are_refused(self, tmp_path: Path) -> None:
        folder = write_folder(tmp_path)
        file = folder / "blue" / "0.tif"
        Image.new("L", (9, 9), 200).save(file, tiffinfo={339: 2})
        with pytest.raises(ImagesError, match=r"signed bytes"):
            load_images(folder, 8).batch(13, 0)

    def test_a_palette_with_transparency_is_read_without_a_warning(self, tmp_path: Path) -> None:
        folder = write_folder(tmp_path)
        image = Image.new("RGB", (9, 9), COLOURS["red"]).convert("P")
        image.save(folder / "blue" / "0.png", transparency=bytes([0] * 255 + [255]))
        pixels = load_images(folder, 8).pixels([0])
        assert pixels.shape == (1, 3, 8, 8)

    def test_a_photo_is_turned_upright(self, tmp_path: Path) -> None:
        folder = write_folder(tmp_path)
        image = Image.new("RGB", (16, 16), COLOURS["red"])
        image.paste(COLOURS["blue"], (0, 0, 16, 8))  # blue above
        exif = Image.Exif()
        exif[0x0112] = 3  # turned by 180 degrees
        image.save(folder / "blue" / "0.png", exif=exif)
        pixels = load_images(folder, 16).pixels([0])[0]
        assert tuple(pixels[:, 0, 0].tolist()) == COLOURS["red"]

    def test_the_digest_follows_files_and_resolution(self, tmp_path: Path) -> None:
        folder = write_folder(tmp_path)
        digest = load_images(folder, 8).digest
        assert load_images(folder, 8).digest == digest
        assert load_images(folder, 16).digest != digest
        changed = folder / "red" / "0.png"
        os.utime(changed, ns=(1, 1))
        assert load_images(folder, 8).digest != digest

    def test_a_broken_image_is_named(self, tmp_path: Path) -> None:
        folder = write_folder(tmp_path)
        (folder / "green" / "2.png").write_bytes(b"no picture")
        images = load_images(folder, 8)
        with pytest.raises(ImagesError, match=r"readable image in .*2\.png"):
            images.batch(3, seed=0)

    def test_an_empty_class_one_class_and_no_classes_are_refused(self, tmp_path: Path) -> None:
        with pytest.raises(ImagesError, match="a folder for each class"):
            load_images(tmp_path, 8)
        (tmp_path / "only").mkdir()
        with pytest.raises(ImagesError, match=r"class folder .*only, found none"):
            load_images(tmp_path, 8)
        (tmp_path / "only" / "a.png").write_bytes(encoded(COLOURS["red"]))
        with pytest.raises(ImagesError, match=r"two or more classes .* found only only"):
            load_images(tmp_path, 8)


class TestArrays:
    def save(self, folder: Path, **arrays: object) -> Path:
        path = folder / "mine.npz"
        np.savez(path, **arrays)  # type: ignore[arg-type]
        return path

    @pytest.mark.parametrize("shape", [(6, 8, 8, 3), (6, 3, 8, 8), (6, 8, 8), (6, 1, 8, 8)])
    def test_every_layout_is_read(self, tmp_path: Path, shape: tuple[int, ...]) -> None:
        values = np.arange(np.prod(shape), dtype=np.int64).reshape(shape) % 251
        path = self.save(tmp_path, images=values.astype(np.uint8), labels=[3, 3, 9, 9, 5, 5])
        images = load_images(path, 8)
        assert (images.name, images.class_names) == ("mine", ("3", "5", "9"))
        assert images.labels.tolist() == [0, 0, 2, 2, 1, 1]
        expected = values.transpose(0, 3, 1, 2) if shape[-1] == 3 else values
        expected = expected[:, None] if expected.ndim == 3 else expected
        np.testing.assert_array_equal(
            images.pixels(range(6)), np.broadcast_to(expected, (6, 3, 8, 8))
        )

    def test_floats_keep_their_values(self, tmp_path: Path) -> None:
        values = np.random.default_rng(0).normal(size=(4, 3, 8, 8)).astype(np.float32)
        images = load_images(self.save(tmp_path, images=values, labels=[0, 1, 0, 1]), 8)
        np.testing.assert_allclose(images.pixels(range(4)), values, rtol=1e-6)
        assert images.batch(4, 0)[0].dtype == np.float32

    def test_training_and_test_arrays_are_a_split(self, tmp_path: Path) -> None:
        pixels = np.zeros((6, 8, 8), np.uint8)
        path = self.save(
            tmp_path,
            x_train=pixels,
            y_train=np.array([[0], [1]] * 3),
            x_test=pixels[:2],
            y_test=np.array([[1], [0]]),
        )
        images = load_images(path, 8)
        assert images.train.tolist() == [0, 1, 2, 3, 4, 5]
        assert images.test is not None
        assert images.labels[images.test].tolist() == [1, 0]

    def test_a_channel_that_never_changes_is_0(self, tmp_path: Path) -> None:
        pixels = np.full((4, 8, 8, 3), 77, np.uint8)
        pixels[0, 0, 0, 1] = 0
        batch, _ = load_images(self.save(tmp_path, x=pixels, y=[0, 1, 0, 1]), 8).batch(4, 0)
        assert (batch[:, [0, 2]] == 0).all()
        assert batch[:, 1].std() > 0

    @pytest.mark.parametrize("kind", [np.uint8, np.float32])
    def test_a_batch_of_equal_images_is_refused(self, tmp_path: Path, kind: type) -> None:
        one = np.random.default_rng(0).integers(0, 9, (8, 8)).astype(kind)
        images = load_images(self.save(tmp_path, x=np.stack([one] * 4), y=[0, 1, 0, 1]), 8)
        with pytest.raises(ImagesError, match="expected images that differ, found all 4 drawn"):
            images.batch(4, 0)
        assert len(images.batch(1, 0)[0]) == 1

    @pytest.mark.parametrize(
        ("arrays", "message"),
        [
            ({"pictures": np.zeros(3)}, "images and labels .* found pictures"),
            ({"images": np.zeros((2, 70, 70, 65), np.uint8), "labels": [0, 1]}, "1 to 64 channels"),
            ({"images": np.zeros((2, 8), np.uint8), "labels": [0, 1]}, "shape .2, 8."),
            ({"images": np.zeros((0, 8, 8), np.uint8), "labels": []}, "shape|one label"),
            ({"images": np.full((2, 8, 8), np.nan), "labels": [0, 1]}, "NaN .* image 0"),
            ({"images": np.zeros((2, 8, 8), np.int64), "labels": [0, 1]}, "uint8 or float"),
            ({"images": np.zeros((2, 8, 8), np.uint8), "labels": [0, 1, 2]}, "each of 2 images"),
            ({"images": np.zeros((2, 8, 8), np.uint8), "labels": [1, 1]}, "two or more classes"),
            ({"images": np.zeros((2, 8, 8), np.uint8), "labels": [0, np.nan]}, "whole numbers"),
            ({"images": np.zeros((2, 8, 8), np.uint8), "labels": np.eye(2)}, "one label for each"),
            ({"images": np.zeros((2, 8, 8), np.uint8), "labels": [None, 1]}, "no pickles"),
        ],
    )
    def test_what_cannot_be_used_is_refused(
        self, tmp_path: Path, arrays: dict[str, object], message: str
    ) -> None:
        with pytest.raises(ImagesError, match=message):
            load_images(self.save(tmp_path, **arrays), 8)

    def test_split_arrays_of_two_kinds_are_refused(self, tmp_path: Path) -> None:
        one, other = np.zeros((2, 8, 8), np.uint8), np.zeros((2, 8, 8), np.float32)
        path = self.save(tmp_path, x_train=one, y_train=[0, 1], x_test=other, y_test=[0, 1])
        with pytest.raises(ImagesError, match=r"of one type .* found float32 and uint8"):
            load_images(path, 8)

    def test_split_arrays_of_two_shapes_are_refused(self, tmp_path: Path) -> None:
        one, other = np.zeros((2, 8, 8), np.uint8), np.zeros((2, 9, 9), np.uint8)
        path = self.save(tmp_path, x_train=one, y_train=[0, 1], x_test=other, y_test=[0, 1])
        with pytest.raises(ImagesError, match="arrays of one shape"):
            load_images(path, 8)

    def test_a_file_that_is_none_is_refused(self, tmp_path: Path) -> None:
        (tmp_path / "a.npz").write_bytes(b"PK no archive")
        with pytest.raises(ImagesError, match="plain arrays"):
            load_images(tmp_path / "a.npz", 8)


class TestParquet:
    def columns(self) -> dict[str, object]:
        names = sorted(COLOURS) * 4
        return {
            "jpeg": [encoded(COLOURS[name]) for name in names],
            "label": [7 + sorted(COLOURS).index(name) for name in names],
            "class_name": names,
            "split": ["train"] * 9 + ["test"] * 3,
        }

    def test_rows_labels_names_and_split_are_read(self, tmp_path: Path) -> None:
        images = load_images(write_table(tmp_path / "mine.parquet", self.columns()), 8)
        assert (images.name, images.class_names) == ("mine", ("blue", "green", "red"))
        assert images.labels.tolist() == [0, 1, 2] * 4
        assert images.test is not None
        assert images.test.tolist() == [9, 10, 11]
        assert colours_of(images, [11, 0, 4]) == [COLOURS[n] for n in ("red", "blue", "green")]

    def test_a_training_part_may_be_called_otherwise(self, tmp_path: Path) -> None:
        columns = {**self.columns(), "split": ["Training"] * 9 + ["dev"] * 3}
        images = load_images(write_table(tmp_path / "mine.parquet", columns), 8)
        assert len(images.train) == 9

    def test_deep_pixels_are_read_on_the_scale_of_bytes(self, tmp_path: Path) -> None:
        columns = self.columns()
        digest = load_images(write_table(tmp_path / "bytes.parquet", columns), 8).digest
        file = BytesIO()
        Image.fromarray(np.full((9, 9), 0.5, np.float32)).save(file, "TIFF")
        columns["jpeg"] = [file.getvalue(), *columns["jpeg"][1:]]  # type: ignore[index]
        images = load_images(write_table(tmp_path / "mine.parquet", columns), 8)
        assert images.pixels([0]).max() == 127.5
        assert images.digest != digest

    def test_batches_never_hold_what_the_split_keeps_out(self, tmp_path: Path) -> None:
        images = load_images(write_table(tmp_path / "mine.parquet", self.columns()), 8)
        images.batch(9, seed=0)
        with pytest.raises(ImagesError, match="1 to 9 images"):
            images.batch(10, seed=0)

    def test_a_struct_of_bytes_in_many_row_groups_is_read(self, tmp_path: Path) -> None:
        columns = self.columns()
        data = columns.pop("jpeg")
        columns["photo"] = [{"bytes": each, "path": "p"} for each in data]  # type: ignore[attr-defined]
        path = tmp_path / "mine.parquet"
        parquet.write_table(pa.table(columns), path, row_group_size=2)
        images = load_images(path, 8)
        assert colours_of(images, everything(images)) == [COLOURS[n] for n in sorted(COLOURS)] * 4

    @pytest.mark.parametrize(
        ("change", "message"),
        [
            ({"jpeg": None}, "one column of encoded images .* label, class_name, split"),
            ({"label": None, "class_name": None}, "a column label or labels"),
            ({"label": [None] + [1] * 11}, "a label in every row .* row 0"),
            ({"label": [1.5] * 12}, "whole numbers"),
            ({"split": ["test"] * 12}, "only held-out"),
            ({"more": [b"x"] * 12, "jpeg": None, "other": [b"x"] * 12}, "one column of encoded"),
        ],
    )
    def test_missing_columns_and_bad_labels_are_refused(
        self, tmp_path: Path, change: dict[str, object], message: str
    ) -> None:
        columns = {**self.columns(), **change}
        kept = {name: values for name, values in columns.items() if values is not None}
        with pytest.raises(ImagesError, match=message):
            load_images(write_table(tmp_path / "mine.parquet", kept), 8)

    def test_labels_may_be_texts(self, tmp_path: Path) -> None:
        columns = self.columns()
        columns["label"] = columns.pop("class_name")
        images = load_images(write_table(tmp_path / "mine.parquet", columns), 8)
        assert images.class_names == ("blue", "green", "red")

    def test_a_row_without_an_image_is_named_when_drawn(self, tmp_path: Path) -> None:
        columns = self.columns()
        columns["jpeg"] = [None, *columns["jpeg"][1:]]  # type: ignore[index]
        images = load_images(write_table(tmp_path / "mine.parquet", columns), 8)
        with pytest.raises(ImagesError, match="an image in row 0"):
            images.pixels([0])

    def test_a_file_that_is_none_is_refused(self, tmp_path: Path) -> None:
        (tmp_path / "a.parquet").write_bytes(b"nothing of the kind")
        with pytest.raises(ImagesError, match="a parquet file"):
            load_images(tmp_path / "a.parquet", 8)

    def test_cifar10_has_its_published_split_and_colours(self, data_folder: Path) -> None:
        images = load_images(data_folder / "cifar10_images.parquet", 32)
        assert images.classes == 10
        assert images.test is not None
        assert (len(images.train), len(images.test)) == (50_000, 10_000)
        assert np.bincount(images.labels[images.train]).tolist() == [5000] * 10
        _, labels = images.batch(64, seed=0)
        assert np.bincount(labels).max() == 7
        mean, deviation = images._statistics  # published: 125.3 123.0 113.9, 63.0 62.1 66.7
        np.testing.assert_allclose(mean.ravel(), [125.3, 123.0, 113.9], atol=4)
        np.testing.assert_allclose(deviation.ravel(), [63.0, 62.1, 66.7], atol=2)


class TestTrainTest:
    def test_each_class_gives_its_share(self) -> None:
        digits = load_images(None, 8)
        train, test = digits.train_test(0.25, seed=0)
        assert not set(train.tolist()) & set(test.tolist())
        assert len(train) + len(test) == 1797
        shares = np.bincount(digits.labels[test]) / np.bincount(digits.labels)
        np.testing.assert_allclose(shares, 0.25, atol=0.005)
        again, _ = digits.train_test(0.25, seed=0)
        np.testing.assert_array_equal(train, again)

    def test_a_class_of_one_cannot_be_split(self, tmp_path: Path) -> None:
        folder = write_folder(tmp_path, each=1)
        with pytest.raises(ImagesError, match="two or more images of class 'blue'"):
            load_images(folder, 8).train_test(0.5, seed=0)


class TestPaths:
    def test_nothing_there_and_another_kind_are_refused(self, tmp_path: Path) -> None:
        with pytest.raises(ImagesError, match="found nothing at"):
            load_images(tmp_path / "absent", 8)
        with pytest.raises(ImagesError, match="found nothing at"):
            load_images(tmp_path / "absent.npz", 8)
        (tmp_path / "a.txt").write_text("x")
        with pytest.raises(ImagesError, match="found another kind of file"):
            load_images(tmp_path / "a.txt", 8)

    def test_a_resolution_below_8_is_refused(self) -> None:
        with pytest.raises(ImagesError, match="at least 8 pixels, found 4"):
            load_images(None, 4)


@pytest.mark.filterwarnings("ignore")  # Pillow's, about damage that it can live with
@settings(max_examples=150, deadline=None)
@given(st.sampled_from(["PNG", "JPEG", "GIF", "BMP", "TIFF"]), st.data())
def test_damaged_files_are_read_or_refused_and_nothing_else(kind: str, data: st.DataObject) -> None:
    file = BytesIO()
    Image.linear_gradient("L").resize((20, 24)).convert("RGB").save(file, kind)
    damaged = bytearray(file.getvalue())
    for _ in range(data.draw(st.integers(1, 4))):
        damaged[data.draw(st.integers(0, len(damaged) - 1))] = data.draw(st.integers(0, 255))
    damaged = damaged[: data.draw(st.integers(0, len(damaged)))]
    try:
        assert Depth().decode(BytesIO(bytes(damaged)), 16, "here").shape == (3, 16, 16)
    except ImagesError as error:
        assert "here" in str(error)  # noqa: PT017 - either outcome is right
