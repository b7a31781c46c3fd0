"""The model and the options that a client has chosen, and how its commands change them."""

from dataclasses import dataclass, replace
from typing import Self

from msgspec import UNSET

from auricle.engines.models import Models, ServedModel
from auricle.values.commands import Configure, StreamParameters
from auricle.values.text_filters import FilterChoice
from auricle.values.types import LIVE_BEAM_SIZE, Options
from auricle.values.wording import WordingOf, no_wording


@dataclass(frozen=True, slots=True)
class ModelChoice:
    """A model with the options of later utterances.

    Attributes:
        requested: The options as requested, with what other models accept.
        model: The model.
        options: The options that the model accepts, with the hot words of the wording.
        filters: The text filters of the wording.
        wording_of: Returns the wording for the options as requested.
    """

    requested: Options
    model: ServedModel
    options: Options
    filters: tuple[FilterChoice, ...]
    wording_of: WordingOf

    @classmethod
    def of(
        cls,
        parameters: StreamParameters,
        models: Models,
        wording_of: WordingOf = no_wording,
    ) -> Self:
        """Return the choice at the start of a session.

        Raises:
            ModelNotFound: There is no such model.
            BadRequest: The model does not support the language or the task.
        """
        choice = models.choose(parameters.model)
        requested = Options(
            model=choice.option,
            language=parameters.language,
            languages=parameters.languages,
            task=parameters.task,
            beam_size=LIVE_BEAM_SIZE,
            initial_prompt=parameters.prompt or None,
            hotwords=parameters.hotwords,
            word_timestamps=parameters.word_timestamps,
            strict_language=parameters.strict_language,
        )
        return cls._of(requested, choice.model, wording_of)

    def after(self, command: Configure, models: Models) -> Self:
        """Return the choice after a command.

        Raises:
            ModelNotFound: There is no such model.
            BadRequest: The model does not support the language or the task.
        """
        options, model = self.requested, models.find(self.requested.model)
        if command.model is not UNSET:
            choice = models.choose(command.model)
            options, model = replace(options, model=choice.option), choice.model
        if command.language is not UNSET:
            options = replace(options, language=command.language)
        if command.languages is not UNSET:
            options = replace(options, languages=command.languages)
        if command.strict_language is not UNSET:
            options = replace(options, strict_language=command.strict_language)
        if command.task is not UNSET:
            options = replace(options, task=command.task)
        if command.prompt is not UNSET:
            options = replace(options, initial_prompt=command.prompt or None)
        if command.hotwords is not UNSET:
            options = replace(options, hotwords=command.hotwords)
        return self._of(options, model, self.wording_of)

    @classmethod
    def _of(cls, requested: Options, model: ServedModel, wording_of: WordingOf) -> Self:
        wording = wording_of(requested)
        options = model.engine.fit(wording.applied(requested))
        return cls(requested, model, options, wording.filters, wording_of)
