"""The Trainer of the transformers library under any loss: tensors by name, exact accumulation, rules, curves.

This module needs torch and transformers; `evalharness.training.LossTrainer` imports it when asked for.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Literal

import torch
from transformers import PrinterCallback, ProgressCallback, Trainer, TrainingArguments

from evalharness.contract import Loss, TrainingRule
from evalharness.errors import DataError, UsageError
from evalharness.training import faults
from evalharness.training.checkpoints import quietly, restored, write_state
from evalharness.training.processes import Processes
from evalharness.training.supplying import Supply
from evalharness.training.window import Component, Totals, Window, added, components_of, cosines


class LossTrainer(Trainer):  # type: ignore[misc]
    """Trains a model under a loss that reads tensors by name; value and gradient are exact for any split of a step.

    - `loss`, `rules`: what is minimised, and what changes training beside it.
    - `totals`: where the sums over a step's micro-batches come from that labels alone do not give. "exact" takes a first pass
      without gradients; "running" takes those of the step before, which is no longer exact. A step that is one micro-batch in
      one process needs neither.
    - `reference`: a frozen model, which gives `teacher_logits`, and `ref_...` log-probabilities that a batch does not hold.

    Batches are those of `evalharness.training.collating`. Some things are as a training task wants them whatever `args` say:
    columns are not removed, nothing is printed or reported. With several processes gradients are added up here, not by the
    wrapper around the model; sharded models (FSDP, DeepSpeed) and `fp16` are refused. `gradient_norm` is that of the model's
    parameters, before it is clipped and after rules have changed it.

    - `curve`: a list of {"step", "name", "value"}, at the steps that `args` log: `loss` and `loss.<component>` at the totals
      of the whole step, `cosine.<a>.<b>` of the gradients of two components, `router.<layer>.<expert>` (its share of all
      choices), `learned.<name>`, `gradient_norm`, `learning_rate`.

    >>> import tempfile
    >>> import evalharness as eh
    >>> from evalharness.training.collating import Row, TableCollator
    >>> class Line(torch.nn.Linear):
    ...     def forward(self, features):
    ...         return {"prediction": super().forward(features)[:, 0]}
    >>> rows = [Row((float(x),), 2.0 * x, f"row {x}") for x in range(4)]
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     args = TrainingArguments(folder, max_steps=40, learning_rate=0.1, logging_steps=10, use_cpu=True)
    ...     trainer = LossTrainer(
    ...         model=Line(1, 1), args=args, loss=eh.load_loss("mse"), train_dataset=rows, data_collator=TableCollator()
    ...     )
    ...     _ = trainer.train()
    >>> first, *_, last = [point["value"] for point in trainer.curve if point["name"] == "loss"]
    >>> last < first
    True
    """

    def __init__(
        self,
        *,
        model: Any,
        args: TrainingArguments,
        loss: Loss,
        rules: Sequence[TrainingRule] = (),
        totals: Literal["exact", "running"] = "exact",
        reference: Any = None,
        **given: Any,
    ) -> None:
        args.remove_unused_columns = False
        args.report_to, args.log_level = [], "error"
        super().__init__(model=model, args=args, **given)
        for printing in (PrinterCallback, ProgressCallback):
            self.remove_callback(printing)
        if self.is_fsdp_enabled or self.is_deepspeed_enabled or args.fp16 or args.n_gpu > 1:
            raise UsageError("LossTrainer trains whole models in float32 or bf16, one device a process: no FSDP, DeepSpeed, fp16")
        self.loss, self.rules = loss, tuple(rules)
        self._running = totals == "running"
        self._components = components_of(loss)
        self._reference = None if reference is None else reference.to(args.device).eval().requires_grad_(False)
        self._supply = Supply(loss, self.model, self._reference)
        self._processes = Processes(args.world_size)
        self._window, self._previous = Window(), dict[str, Totals]()
        self._learned = {name: torch.nn.Parameter(self._tensor(value)) for name, value in loss.learned().items()}
        self._carried = {name: self._tensor(value) for name, value in loss.carried().items()}
        self.curve: list[dict[str, Any]] = []
        self._shown: dict[str, float] = {}

    def _tensor(self, value: Any) -> torch.Tensor:
        return torch.as_tensor(value, dtype=torch.float32, device=self.args.device).clone()

    def train(self, *given: Any, **named: Any) -> Any:
        """Train as the Trainer does; see there."""
        with self._supply.recording():
            return super().train(*given, **named)

    # One step: get_batch_samples, then training_step for each micro-batch.

    def get_batch_samples(self, epoch_iterator: Iterator[Any], num_batches: int, device: Any) -> tuple[list[Any], None]:
        """Return the micro-batches of one step, which are one window."""
        batches, _ = super().get_batch_samples(epoch_iterator, num_batches, device)
        self._window = Window([self._placed(batch) for batch in batches])
        return batches, None

    def _placed(self, batch: Mapping[str, Any]) -> dict[str, Any]:
        """Return a batch on the device; the names of samples are no matter for it."""
        named = {name: batch[name] for name in ("samples", "sides") if name in batch}
        return {**self._prepare_inputs({name: value for name, value in batch.items() if name not in named}), **named}

    def training_step(self, model: Any, inputs: Any, num_items_in_batch: Any = None) -> torch.Tensor:
        """Back-propagate one micro-batch's share; return the loss of the whole window after its last one, else 0."""
        model.train()
        window = self._window
        if not window.done:
            self._begin(model)
        batch = window.batches[window.done]
        with self.accelerator.no_sync(model), self._named(batch):
            self._back_propagate(model, batch)
        window.done += 1
        value = self._finish() if window.done == len(window.batches) else 0.0
        return torch.as_tensor(value, dtype=torch.float32, device=self.args.device)

    def _begin(self, model: Any) -> None:
        """Find what is known of the window's totals before its first gradient."""
        window = self._window
        for parameter in self._learned.values():
            parameter.grad = None
        for batch in window.batches:
            faults.refuse_unknown_tokens(batch, self._supply.vocabulary)
        self._refuse_unlabelled()
        for rule in self.rules:
            rule.before_step(self.model)
        open_ones = []
        for component in self._components:
            totals = self._counted(component)
            if totals is not None:
                window.counted[component.name] = totals
            elif self._running and component.name in self._previous:
                window.totals[component.name] = self._previous[component.name]
            else:
                open_ones.append(component)
        if open_ones and len(window.batches) * self._processes.number > 1:
            window.totals.update(self._first_pass(model, open_ones))

    def _refuse_unlabelled(self) -> None:
        batches = [batch for batch in self._window.batches if "labels" in batch and batch["labels"].ndim == 2]
        if "labels" not in self._supply.accepts or "frames" in self._supply.accepts or not batches:
            return
        if not int(self._processes.added(sum(faults.labelled(batch) for batch in batches))):
            raise faults.nothing_counts(batches)

    def _counted(self, component: Component) -> Totals | None:
        """Return the totals over the window that labels and weights alone give."""
        totals: Totals | None = None
        for batch in self._window.batches:
            counts = component.counted(self._supply.known(batch))
            if counts is None:
                return None
            totals = added(totals, {name: torch.as_tensor(value, device=self.args.device) for name, value in counts.items()})
        return None if totals is None else self._reduced(totals)

    def _first_pass(self, model: Any, components: Sequence[Component]) -> dict[str, Totals]:
        """Return totals over the window from a pass without gradients, which leaves random generators as they were."""
        totals: dict[str, Totals] = {}
        devices = [self.args.device] if self.args.device.type != "cpu" else []
        kind = {"device_type": self.args.device.type} if devices else {}
        with torch.no_grad(), torch.random.fork_rng(devices, **kind), self.accelerator.no_sync(model):
            for batch in self._window.batches:
                with self._named(batch):
                    tensors = self._tensors_of(model, batch)
                    for one in components:
                        totals[one.name] = added(totals.get(one.name), one.sums(tensors))
        return {name: self._reduced(sums) for name, sums in totals.items()}

    def _tensors_of(self, model: Any, batch: Mapping[str, Any]) -> dict[str, Any]:
        return self._given(self._supply(model, batch))

    def _given(self, tensors: Mapping[str, Any]) -> dict[str, Any]:
        """Return the tensors with those that are no matter of the batch."""
        return {**tensors, **self._learned, **self._carried, "progress": self._tensor(self.state.global_step / self._steps)}

    @property
    def _steps(self) -> int:
        return max(self.state.max_steps, 1)

    def _reduced(self, totals: Totals) -> Totals:
        return {name: self._processes.added(value) for name, value in totals.items()}

    def _back_propagate(self, model: Any, batch: Mapping[str, Any]) -> None:
        window = self._window
        tensors = self._tensors_of(model, batch)
        self._record_loads()
        weights = self.loss.weighting(**self._given_beside())
        shares = {}
        for component in self._components:
            with self.accelerator.autocast():
                share, seen = window.share(component, tensors)
            faults.refuse_infinite(component.name, seen, tensors, batch)
            window.see(component.name, seen)
            shares[component.name] = torch.as_tensor(weights[component.name]).detach() * share
        if self._splits or (self._is_logged and len(shares) > 1):
            self._add_parts(shares)
        whole = torch.stack([share.float() for share in shares.values()]).sum()
        if self._splits:
            self._add_gradients_of_learned(whole)
        else:
            self.accelerator.backward(whole)

    def _record_loads(self) -> None:
        """Add how often each expert was chosen, at the steps that are logged."""
        if self._supply.routing is not None and self._is_logged:
            loads = self._supply.routing.counts().sum(0)
            self._window.loads = loads if self._window.loads is None else self._window.loads + loads

    def _given_beside(self) -> dict[str, Any]:
        return self._given({})

    @property
    def _splits(self) -> bool:
        return any(rule.splits for rule in self.rules)

    @property
    def _is_logged(self) -> bool:
        step = self.state.global_step + 1
        return step % max(int(self.state.logging_steps), 1) == 0 or (step == 1 and self.args.logging_first_step)

    def _trained(self) -> dict[str, torch.nn.Parameter]:
        return {name: parameter for name, parameter in self.model.named_parameters() if parameter.requires_grad}

    def _add_parts(self, shares: Mapping[str, torch.Tensor]) -> None:
        trained = self._trained()
        for name, share in shares.items():
            if share.requires_grad:
                found = torch.autograd.grad(share, list(trained.values()), retain_graph=True, allow_unused=True)
                self._window.add_part(name, dict(zip(trained, found, strict=True)))

    def _add_gradients_of_learned(self, whole: torch.Tensor) -> None:
        """Add the gradients of learned tensors alone: those of the model's parameters come from the parts."""
        if self._learned:
            learned = list(self._learned.values())
            for parameter, found in zip(learned, torch.autograd.grad(whole, learned, allow_unused=True), strict=True):
                if found is not None:
                    parameter.grad = found if parameter.grad is None else parameter.grad + found

    def _finish(self) -> float:
        """Complete the gradients of the window; return its loss."""
        window = self._window
        seen = {name: self._reduced(sums) for name, sums in window.seen.items()}
        self._previous = {name: sums for name, sums in seen.items() if name not in window.counted}
        values = {one.name: one.value(seen[one.name]).detach() for one in self._components}
        whole = self.loss.combined(values, **self._given_beside())
        self._add_up_gradients()
        if torch.is_tensor(whole) and whole.requires_grad:
            whole.backward()
        for rule in self.rules:
            rule.after_backward(window.parts if rule.splits else {}, self.model)
        numbers = {name: float(value) for name, value in values.items()}
        carried = self.loss.carry(numbers, **self._carried)
        self._carried = {name: self._tensor(value) for name, value in carried.items()}
        self._refuse_no_number(numbers)
        number = float(whole.detach()) if torch.is_tensor(whole) else float(whole)
        if self._is_logged:
            self._show(number, numbers)
        return number

    def _refuse_no_number(self, values: Mapping[str, float]) -> None:
        wrong = [name for name, value in values.items() if value != value]
        if wrong:
            samples = faults.named([row for batch in self._window.batches for row in batch.get("samples", ())])
            raise DataError(f"loss '{wrong[0]}' has no value in this step: nothing in it has a weight. Samples: {samples}")

    def _add_up_gradients(self) -> None:
        """Add the gradients of all processes; where rules split, the model's are the sum of the parts."""
        trained = self._trained()
        for part in self._window.parts.values():
            self._processes.add_up(part, trained)
        if self._splits:
            for name, parameter in trained.items():
                found = [part[name] for part in self._window.parts.values() if name in part]
                parameter.grad = torch.stack(found).sum(0) if found else None
            self._processes.add_up_gradients(self._learned.values())
        else:
            self._processes.add_up_gradients([*trained.values(), *self._learned.values()])

    def _show(self, whole: float, values: Mapping[str, float]) -> None:
        self._shown = {"loss": whole, **{f"loss.{name}": value for name, value in values.items()}}
        self._shown |= {f"cosine.{pair}": value for pair, value in cosines(self._window.parts).items()}
        if self._window.loads is not None:
            loads = self._processes.added(self._window.loads).double()
            shares = (loads / loads.sum(-1, keepdim=True)).tolist()
            self._shown |= {f"router.{layer}.{e}": value for layer, row in enumerate(shares) for e, value in enumerate(row)}
        self._shown |= {f"learned.{name}": float(value.detach()) for name, value in self._learned.items() if value.numel() == 1}

    def log(self, logs: dict[str, float], start_time: float | None = None) -> None:
        """Add what is logged of a step to the curve."""
        if "grad_norm" in logs:
            shown = {**self._shown, "gradient_norm": logs["grad_norm"], "learning_rate": logs["learning_rate"]}
            self.curve += [{"step": self.state.global_step, "name": name, "value": value} for name, value in shown.items()]
        super().log(logs, start_time)

    # Checkpoints: what is trained, under its own names, and what the Trainer does not know of.

    def create_optimizer(self, model: Any = None) -> Any:
        """Let the optimiser train the learned tensors of the loss too, without weight decay."""
        first = self.optimizer is None
        optimizer = super().create_optimizer(model)
        if first and self._learned:
            optimizer.add_param_group({"params": list(self._learned.values()), "weight_decay": 0.0})
        return optimizer

    def _save_checkpoint(self, model: Any, trial: Any) -> None:
        if self.args.should_save:
            state = {
                "learned": self._learned, "carried": self._carried, "previous": self._previous, "curve": self.curve,
                "parameters": self._trained(), "buffers": dict(self.model.named_buffers()),
            }  # fmt: skip
            write_state(self._get_output_dir(trial), self.state.global_step, state)
        super()._save_checkpoint(model, trial)

    def save_model(self, output_dir: str | None = None, _internal_call: bool = False) -> None:
        """Write the model as the Trainer does, but for checkpoints, which hold what is trained and nothing else."""
        # What the library writes of a mixture of experts has other names than its parameters, and would not be read back.
        if not _internal_call:
            with quietly():
                super().save_model(output_dir)

    def _load_from_checkpoint(self, resume_from_checkpoint: str, model: Any = None) -> None:
        state = restored(resume_from_checkpoint, self.args.device)
        places = {"learned": self._learned, "parameters": self._trained(), "buffers": dict(self.model.named_buffers())}
        with torch.no_grad():
            for part, own in places.items():
                for name, value in own.items():
                    value.copy_(state[part][name])
        self._carried, self._previous, self.curve = state["carried"], state["previous"], state["curve"]

    def compute_loss(self, model: Any, inputs: Any, return_outputs: bool = False, num_items_in_batch: Any = None) -> Any:
        """Return the loss of one batch by itself, as an evaluation during training shows it."""
        tensors = self._tensors_of(model, inputs)
        values = {one.name: one.loss.whole(**tensors) for one in self._components}
        whole = self.loss.combined(values, **self._given_beside())
        return (whole, {"loss": whole}) if return_outputs else whole

    @contextmanager
    def _named(self, batch: Mapping[str, Any]) -> Iterator[None]:
        """Let an error of a loss name the samples."""
        try:
            yield
        except DataError as error:
            raise faults.with_samples(error, batch) from None
