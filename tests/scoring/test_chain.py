"""Chains: names, order, composition, and every fault in one message."""

from __future__ import annotations

from dataclasses import field, replace

import pytest

from evalharness import Loss, Metric, Parent
from evalharness.errors import FaultsFound
from evalharness.scoring import Chain, Entry


class Plain(Metric):
    """Nothing, 0 to 1."""

    name, better, range = "plain", "higher", (0, 1)

    def measure(self, response):
        return {"x": [0.0] * len(response)}


class Parted(Plain):
    """Nothing at two cut-offs, 0 to 1."""

    name, better = "parted", "higher"
    parts = ("@1", "@5")

    def measure(self, contexts):
        return {"@1": [0.0] * len(contexts), "@5": [0.0] * len(contexts)}


class User(Plain):
    """Nothing on top of others, 0 to 1."""

    name, better = "user", "higher"
    of: tuple[str, ...] = ()
    parents: tuple[Parent, ...] = field(default=(), metadata={"option": False})

    @property
    def uses(self):
        return self.of

    def compose(self, parents):
        if any(parent.metric.name == "parted" for parent in parents) and len(parents) > 1:
            raise ValueError("will not mix with parted")
        return replace(self, parents=parents)

    def measure(self, values):
        return {"x": [0.0 for _ in next(iter(values.values()))]}


def names(chain: Chain) -> list[str]:
    return [entry.name for entry in chain.entries]


def test_scores_are_the_name_and_each_part():
    assert Entry.of(Parted()).scores == ("parted@1", "parted@5")
    assert Entry.of(Plain(), "mine").scores == ("mine",)
    assert Entry.of(Parted(), "recall").scores == ("recall@1", "recall@5")


def test_a_metric_is_measured_after_those_it_uses_and_otherwise_as_given():
    chain = Chain.build(
        [("top", User(of=("middle", "plain"))), ("last", Plain()), ("middle", User(of=("plain",))), (None, Plain())]
    )
    assert names(chain) == ["plain", "middle", "top", "last"]
    assert chain.score_names == ("plain", "middle", "top", "last")
    assert chain.reads == {"response"}


def test_parents_come_composed_with_their_part():
    chain = Chain.build([(None, Parted()), ("low", User(of=("parted@5",))), ("high", User(of=("low",)))])
    low, high = chain.entries[1].metric, chain.entries[2].metric
    assert low.parents == (Parent("parted@5", Parted(), "@5"),)
    assert high.parents == (Parent("low", low, ""),)


def test_all_faults_come_at_once_each_with_its_place():
    with pytest.raises(FaultsFound) as caught:
        Chain.build([(None, Plain()), (None, Plain()), (None, User(of=("plane", "plain")))])
    assert [str(fault) for fault in caught.value.faults] == [
        "metrics[1]: the score 'plain' is there twice; name one of the two with 'as: NAME'",
        "metrics[2]: 'user' uses the score 'plane', which this chain does not have. Did you mean 'plain'? "
        "It has: plain, plain, user.",
    ]


def test_an_alias_that_equals_a_part_of_another_is_refused():
    with pytest.raises(FaultsFound, match="the score 'parted@1' is there twice"):
        Chain.build([(None, Parted()), ("parted@1", Plain())])


def test_a_cycle_is_spelled_out():
    with pytest.raises(FaultsFound, match="in a circle: a -> b -> c -> a"):
        Chain.build([("a", User(of=("b",))), ("b", User(of=("c",))), ("c", User(of=("a",))), (None, Plain())])


def test_a_metric_that_uses_itself_is_a_cycle():
    with pytest.raises(FaultsFound, match="in a circle: a -> a"):
        Chain.build([("a", User(of=("a",)))])


def test_what_compose_refuses_is_a_fault_of_that_entry():
    with pytest.raises(FaultsFound, match=r"metrics\[2\]: 'user': will not mix with parted"):
        Chain.build([(None, Plain()), (None, Parted()), (None, User(of=("plain", "parted@1")))])


def test_what_compose_raises_is_a_fault_too():
    class Broken(User):
        """Nothing, 0 to 1."""

        def compose(self, parents):
            raise KeyError("options")

    with pytest.raises(FaultsFound, match=r"metrics\[1\]: 'user': raised KeyError in compose: 'options'"):
        Chain.build([(None, Plain()), (None, Broken(of=("plain",)))])


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({"scale": 1000.0}, "'odd' declares the scale 1000.0; it must be a power of two"),
        ({"scale": 0}, "'odd' declares the scale 0; it must be a power of two"),
        ({"scale": -2.0}, "'odd' declares the scale -2.0; it must be a power of two"),
        ({"scale": float("inf")}, "'odd' declares the scale inf; it must be a power of two"),
        ({"better": "most"}, "'odd' does not state whether 'higher' or 'lower' is better"),
        ({"better": None}, "'odd' does not state whether 'higher' or 'lower' is better"),
    ],
)
def test_a_metric_that_states_what_cannot_be_is_refused(body, message):
    metric = type("Odd", (Metric,), {"name": "odd", "better": "higher", "__doc__": "Nothing.", **body})()
    with pytest.raises(FaultsFound, match=message):
        Chain.build([(None, metric)])


@pytest.mark.parametrize("scale", [1, 2.0**-40, 2.0**30])
def test_any_power_of_two_is_a_scale(scale):
    metric = type("Even", (Plain,), {"name": "even", "better": "higher", "__doc__": "Nothing.", "scale": scale})()
    assert names(Chain.build([(None, metric)])) == ["even"]


def test_a_loss_that_couples_its_batch_is_no_score():
    class Contrastive(Loss):
        """Nothing, 0 or more."""

        name, pool = "contrastive", "batch"

    with pytest.raises(FaultsFound, match="'contrastive' couples the samples of a training batch"):
        Chain.build([(None, Contrastive())])
