"""What the registry may lose, and that nothing goes as long as it is not known what is in use."""

import hashlib
from datetime import timedelta

import pytest
from wentlive_common.errors import Transient
from wentlive_orchestrator.domain import Policy, on_attempt_gone, on_attempt_lost, on_attempt_planned
from wentlive_orchestrator.domain.images import IMAGES, INDEXES, CleanUpPolicy, Manifest, clean_up, referenced
from wentlive_orchestrator.janitor import (
    ImageUse,
    PlannedImages,
    ProtectionIncomplete,
    RegistryJanitor,
    RegistryUnavailable,
    RegistryUsage,
)
from wentlive_orchestrator.ledger import RecordingLedger
from wentlive_orchestrator.testing import InMemoryRecordings

HOST = "wentlive.azurecr.io"
REPOSITORY = "recorder"
POLICY = CleanUpPolicy(keep_newest=1, keep_younger_than=7 * 86400)


def digest(name):
    return f"sha256:{hashlib.sha256(name.encode()).hexdigest()}"


@pytest.fixture
def image(clock):
    def make(name, days=100.0, **more):
        more.setdefault("media_type", IMAGES[0])
        updated_at = clock.now() - timedelta(days=days)
        facts = {"repository": REPOSITORY, "digest": digest(name), "updated_at": updated_at, "bytes": 1000}
        return Manifest.model_validate(facts | more)

    return make


def gone(manifests, in_use, now):
    return [m.digest for m in clean_up(manifests, {digest(name) for name in in_use}, now, POLICY).delete]


def test_the_oldest_go_first_and_the_newest_stay(image, clock):
    images = [image("new", 30), image("old", 90), image("older", 100)]
    assert gone(images, (), clock.now()) == [digest("older"), digest("old")]


@pytest.mark.parametrize(
    ("what", "reason"),
    [
        ({"days": 3}, "young"),
        ({"locked": True}, "locked"),
        ({"tags": ("1.2", "latest")}, "tagged latest"),
        ({"subject": True}, "is about another image"),
        ({"media_type": "application/vnd.cncf.helm"}, "of a kind that is not known"),
        ({"media_type": ""}, "of a kind that is not known"),
        ({"updated_at": None}, "of unknown age"),
    ],
)
def test_what_stays_says_why(image, clock, what, reason):
    plan = clean_up([image("new", 0.1), image("kept", **what)], (), clock.now(), POLICY)
    assert plan.delete == ()
    assert plan.kept[digest("kept")] == reason


def test_a_tag_that_only_begins_like_a_kept_one_does_not_keep(image, clock):
    images = [image("new", 1), image("old", tags=("latest-2020",))]
    assert gone(images, (), clock.now()) == [digest("old")]


def test_what_is_in_use_stays_with_all_that_belongs_to_it(image, clock):
    index = image("index", media_type=INDEXES[0], children=(digest("amd64"), digest("arm64")))
    images = [image("new", 1), image("amd64"), image("arm64"), index, image("other")]
    assert gone(images, ("index",), clock.now()) == [digest("other")]
    assert gone(images, ("arm64",), clock.now()) == [digest("other")], "its index, too, and what else is of it"
    assert gone(images, (), clock.now())[0] in (digest("index"), digest("other"))
    order = gone(images, (), clock.now())
    assert order.index(digest("index")) < min(order.index(digest("amd64")), order.index(digest("arm64")))


def test_the_images_of_an_index_do_not_count_among_the_newest(image, clock):
    index = image("index", 20, media_type=INDEXES[1], children=(digest("amd64"),))
    images = [image("amd64", 19), index, image("old")]
    plan = clean_up(images, (), clock.now(), POLICY)
    assert [m.digest for m in plan.delete] == [digest("old")]
    assert plan.kept == {
        digest("index"): "one of the newest 1",
        digest("amd64"): "belongs to an index that is kept",
    }


@pytest.mark.parametrize(
    ("name", "parts"),
    [
        (f"{HOST}/recorder@{digest('a')}", (HOST, "recorder", None, digest("a"))),
        (f"{HOST}/team/recorder:1.2@{digest('a')}", (HOST, "team/recorder", "1.2", digest("a"))),
        (f"{HOST}/recorder", (HOST, "recorder", "latest", None)),
        ("127.0.0.1:5000/recorder:dev", ("127.0.0.1:5000", "recorder", "dev", None)),
        ("localhost/recorder:dev", ("localhost", "recorder", "dev", None)),
    ],
)
def test_names_of_images_are_read(name, parts):
    image = referenced(name)
    assert image
    assert (image.registry, image.repository, image.tag, image.digest) == parts


@pytest.mark.parametrize("name", ["alpine", "alpine:3", "library/alpine", "", f"{HOST}/", "@sha256:1"])
def test_names_without_a_registry_are_not_ours(name):
    assert referenced(name) is None


class FakeRegistry:
    address = HOST

    def __init__(self, manifests):
        self.images = {manifest.digest: manifest for manifest in manifests}
        self.tags = {tag: manifest.digest for manifest in manifests for tag in manifest.tags}
        self.deleted = []
        self.broken = set()

    def check(self, what):
        if what in self.broken:
            raise RegistryUnavailable(f"no {what}")

    async def manifests(self, repository):
        self.check("list")
        return [m for m in self.images.values() if m.repository == repository]

    async def digest_of(self, repository, tag):
        self.check("tag")
        return self.tags.get(tag)

    async def delete(self, repository, digest):
        if len(self.deleted) == 1:
            self.check("second delete")
        self.deleted.append(digest)

    async def usage(self):
        self.check("usage")
        return RegistryUsage(bytes=5000, limit=10_000)


class FakeUsers:
    def __init__(self, *uses):
        self.uses = uses
        self.error: Exception | None = None

    async def images(self):
        if self.error:
            raise self.error
        return self.uses


@pytest.fixture
def registry(image):
    return FakeRegistry(
        [image("new", 8, tags=("v9",)), *(image(f"old{n}", 100 + n, tags=(f"v{n}",)) for n in range(4))]
    )


def janitor(registry, clock, *uses, pinned=(), policy=POLICY, store=None):
    users = FakeUsers(*uses)
    planned = PlannedImages(store or InMemoryRecordings())
    return RegistryJanitor(registry, (users, planned), [REPOSITORY], pinned, policy, clock), users


async def test_a_dry_run_reports_and_deletes_nothing(registry, clock):
    tidy, _ = janitor(registry, clock, ImageUse(image=f"{HOST}/recorder@{digest('old0')}"))
    report = await tidy.clean(dry_run=True)
    assert registry.deleted == []
    [repository] = report.repositories
    assert [m.digest for m in repository.deleted] == [digest("old3"), digest("old2"), digest("old1")]
    assert repository.kept == {digest("old0"): "in use", digest("new"): "one of the newest 1"}
    assert (report.dry_run, report.freed_bytes) == (True, 3000)
    assert report.usage == RegistryUsage(bytes=5000, limit=10_000)
    assert tidy.last == report


async def test_it_deletes_what_the_dry_run_names(registry, clock):
    tidy, _ = janitor(registry, clock, pinned=[f"{HOST}/recorder:v1"])
    report = await tidy.clean(dry_run=False)
    assert registry.deleted == [digest("old3"), digest("old2"), digest("old0")]
    assert report.in_use == (digest("old1"),)


async def test_a_run_deletes_only_so_many(registry, clock):
    tidy, _ = janitor(registry, clock, policy=POLICY.model_copy(update={"most_deletions": 1}))
    [repository] = (await tidy.clean(dry_run=False)).repositories
    assert registry.deleted == [digest("old3")]
    assert repository.left_over == 3


async def test_a_tag_protects_what_it_means_now_and_what_was_pulled_by_it(registry, clock):
    use = ImageUse(image=f"{HOST}/recorder:v2", pulled=(f"{HOST}/recorder@{digest('old1')}",))
    report = await janitor(registry, clock, use)[0].clean(dry_run=True)
    assert set(report.in_use) == {digest("old1"), digest("old2")}


async def test_a_tag_that_was_moved_away_is_fine_when_it_is_known_what_was_pulled(registry, clock):
    use = ImageUse(image=f"{HOST}/recorder:gone", pulled=(f"{HOST}/recorder@{digest('old1')}",))
    report = await janitor(registry, clock, use)[0].clean(dry_run=True)
    assert report.in_use == (digest("old1"),)


@pytest.mark.parametrize(
    ("uses", "pinned", "broken"),
    [
        ([ImageUse(image=f"{HOST}/recorder:v1")], (), ()),
        ([ImageUse(image=f"{HOST}/recorder")], (), ()),
        ([], [f"{HOST}/recorder:nowhere"], ()),
        ([], [f"{HOST}/recorder:v1"], ("tag",)),
        ([], (), ("list",)),
    ],
)
async def test_whatever_is_not_known_stops_it(registry, clock, uses, pinned, broken):
    registry.broken |= set(broken)
    with pytest.raises((ProtectionIncomplete, RegistryUnavailable)):
        await janitor(registry, clock, *uses, pinned=pinned)[0].clean(dry_run=False)
    assert registry.deleted == []


async def test_users_that_cannot_be_asked_stop_it(registry, clock):
    tidy, users = janitor(registry, clock)
    users.error = Transient("Azure is away.")
    with pytest.raises(ProtectionIncomplete, match=r"none was deleted\. Azure is away\."):
        await tidy.clean(dry_run=False)
    assert registry.deleted == []


async def test_what_is_about_to_be_started_stays_though_no_container_shows_it_yet(registry, clock, words):
    """Its intent is stored before anything is asked of Azure, maybe by an orchestrator with other settings."""
    store, image = InMemoryRecordings(), f"{HOST}/recorder@{digest('old2')}"
    ledger, policy = RecordingLedger(store, clock, Policy()), Policy()
    recording = (await ledger.went_live(words.live())).recording_id
    tidy, _ = janitor(registry, clock, store=store)

    await ledger.change(recording, lambda r, now: on_attempt_planned(r, "hash", now, policy, image=image))
    assert (await tidy.clean(dry_run=True)).in_use == (digest("old2"),)
    await ledger.change(recording, lambda r, now: on_attempt_lost(r, 1, "it died", now, policy))
    assert (await tidy.clean(dry_run=True)).in_use == (digest("old2"),), "it may be there still"
    await ledger.change(recording, lambda r, now: on_attempt_gone(r, 1, now, ledger.prices))
    assert (await tidy.clean(dry_run=True)).in_use == ()


async def test_images_of_other_registries_and_repositories_do_not_matter(registry, clock):
    uses = [ImageUse(image="alpine"), ImageUse(image=f"{HOST}/web:1"), ImageUse(image="other.io/recorder:v1")]
    assert (await janitor(registry, clock, *uses)[0].clean(dry_run=True)).in_use == ()


async def test_a_run_that_breaks_off_tells_what_went_and_why_it_did(registry, clock):
    registry.broken |= {"second delete", "usage"}
    report = await janitor(registry, clock)[0].clean(dry_run=False)
    [repository] = report.repositories
    assert [m.digest for m in repository.deleted] == registry.deleted == [digest("old3")]
    assert repository.left_over == 3
    assert report.failure == "no second delete"
    assert report.usage is None
