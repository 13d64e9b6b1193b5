"""Form fields that speak as operators do where tables keep integers and lists."""

from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from unfold.widgets import UnfoldAdminTextareaWidget, UnfoldAdminTextInputWidget

from tenants.money import NANO, text_of, units_of
from tenants.validators import MONEY_CEILING


class ScaledField(forms.Field):
    """A decimal number kept as whole units, a `scale` of which make one."""

    def __init__(
        self,
        *,
        scale: int,
        minimum: int | None = None,
        maximum: int | None = None,
        unit: str = "",
        **kwargs: Any,
    ) -> None:
        self.scale, self.minimum, self.maximum = scale, minimum, maximum
        attrs = {"inputmode": "decimal", "autocomplete": "off"} | ({"suffix": unit} if unit else {})
        super().__init__(**{"widget": UnfoldAdminTextInputWidget(attrs=attrs)} | kwargs)

    def to_python(self, value: Any) -> int | None:
        """The whole units of what was written."""
        if value in self.empty_values:
            return None
        try:
            units = units_of(str(value), self.scale)
        except ValueError as error:
            raise ValidationError(str(error)) from error
        if self.minimum is not None and units < self.minimum:
            raise ValidationError(f"Write {text_of(self.minimum, self.scale)} or more.")
        if self.maximum is not None and units > self.maximum:
            raise ValidationError(f"Write {text_of(self.maximum, self.scale)} or less.")
        return units

    def prepare_value(self, value: Any) -> Any:
        """What the form shows: stored units as a number, and what was just typed as it is."""
        return text_of(value, self.scale) if isinstance(value, int) else value


class DollarsField(ScaledField):
    """US dollars, kept in nano-dollars."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(scale=NANO, minimum=1, maximum=MONEY_CEILING, unit="USD", **kwargs)


class LinesField(forms.Field):
    """A list of texts, one a line."""

    def __init__(self, **kwargs: Any) -> None:
        widget = UnfoldAdminTextareaWidget(attrs={"rows": 3})
        super().__init__(**{"widget": widget, "required": False, "initial": list} | kwargs)

    def to_python(self, value: Any) -> list[str]:
        """The lines that say something."""
        return [line.strip() for line in str(value or "").splitlines() if line.strip()]

    def prepare_value(self, value: Any) -> Any:
        """A stored list as lines."""
        return "\n".join(map(str, value)) if isinstance(value, list) else value


class PercentsField(forms.Field):
    """Whole percents, parted by commas."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**{"widget": UnfoldAdminTextInputWidget(), "required": False} | kwargs)

    def to_python(self, value: Any) -> list[int]:
        """The numbers; which of them are fit is the table's to say."""
        words = str(value or "").replace("%", " ").replace(",", " ").split()
        if not all(word.isascii() and word.isdecimal() for word in words):
            raise ValidationError("Write whole percents, such as 80, 100.")
        return [int(word) for word in words]

    def prepare_value(self, value: Any) -> Any:
        """A stored list as text."""
        return ", ".join(map(str, value)) if isinstance(value, list) else value
