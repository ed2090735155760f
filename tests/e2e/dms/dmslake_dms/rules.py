"""Table mappings: which tables a task has, under which names, and the columns that rules add."""

import re
from dataclasses import dataclass

from .errors import SettingsError

# DMS's types of added columns, as those of MySQL that are written alike.
TYPES = {"string": "varchar", "wstring": "varchar"} | {
    f"{sign}int{width}": f"{kind}{' unsigned' * bool(sign)}"
    for sign in ("", "u")
    for width, kind in ((1, "tinyint"), (2, "smallint"), (4, "int"), (8, "bigint"))
}
CHANGE_SEQUENCE = "$AR_H_CHANGE_SEQ"
NAMES = {"$AR_M_SOURCE_SCHEMA": "schema", "$AR_M_SOURCE_TABLE_NAME": "name"}


@dataclass(frozen=True)
class Locator:
    """What a rule applies to, by names at the source."""

    schema: re.Pattern
    table: re.Pattern

    @staticmethod
    def read(members: dict, is_exact: bool = False) -> "Locator":
        """Without a name, any name fits."""
        spelled = re.escape if is_exact else _pattern
        names = (members.get(name, "%") for name in ("schema-name", "table-name"))
        return Locator(*(re.compile(spelled(name), re.DOTALL) for name in names))

    def fits(self, schema: str, table: str) -> bool:
        return bool(self.schema.fullmatch(schema) and self.table.fullmatch(table))


def _pattern(text: str) -> str:
    """`%` is any text, `_` any character, `[ab]` and `[a-d]` one of several."""
    signs = {"%": ".*", "_": "."}
    parts = re.findall(r"\[[^\]]+\]|.", text, re.DOTALL)
    return "".join(
        "[" + re.sub(r"([\\^\[])", r"\\\1", part[1:-1]) + "]" if len(part) > 1
        else signs.get(part) or re.escape(part)
        for part in parts
    )  # fmt: skip


@dataclass(frozen=True)
class Constant:
    """`add-column` with a value that is the same in all rows of a table."""

    name: str
    # As MySQL spells it.
    column_type: str
    # `schema` or `name` of the source, instead of a value.
    of_table: str
    value: str | int | None

    def of(self, table):
        return getattr(table, self.of_table) if self.of_table else self.value


@dataclass(frozen=True)
class Sequence:
    """`add-column` with `$AR_H_CHANGE_SEQ`."""

    name: str


@dataclass(frozen=True)
class BeforeImages:
    """`add-before-image-columns`"""

    prefix: str
    suffix: str
    keys_only: bool


@dataclass(frozen=True)
class Rename:
    """`rename`"""

    # `schema` or `table`.
    target: str
    name: str


@dataclass(frozen=True)
class Rules:
    """Each rule with its locator, in the order in which they are written."""

    included: tuple = ()
    excluded: tuple = ()
    transformations: tuple = ()

    @staticmethod
    def read(mappings: dict) -> "Rules":
        included, excluded, transformations = [], [], []
        for rule in mappings.get("rules", []):
            try:
                kind, action = rule["rule-type"], rule["rule-action"]
                locator = Locator.read(rule["object-locator"], is_exact=action == "explicit")
                if rule.get("filters"):
                    raise SettingsError("filters are not supported; leave them out")
                if kind == "selection" and action in ("include", "explicit"):
                    included.append(locator)
                elif kind == "selection" and action == "exclude":
                    excluded.append(locator)
                elif kind == "transformation":
                    transformations.append((locator, _transformation(rule)))
                else:
                    raise SettingsError(f"{kind} with {action} is not supported")
            except KeyError as missing:
                raise SettingsError(f"rule {rule.get('rule-id')}: {missing} is missing") from None
            except SettingsError as error:
                raise SettingsError(f"rule {rule.get('rule-id')}: {error}") from None
        return Rules(tuple(included), tuple(excluded), tuple(transformations))

    def selects(self, schema: str, table: str) -> bool:
        is_excluded = any(locator.fits(schema, table) for locator in self.excluded)
        return not is_excluded and any(locator.fits(schema, table) for locator in self.included)

    def of(self, schema: str, table: str) -> list:
        """What rules do to a table."""
        return [rule for locator, rule in self.transformations if locator.fits(schema, table)]

    def renamed(self, schema: str, table: str) -> tuple[str, str]:
        """Schema and name of a table at the target."""
        found = {"schema": schema, "table": table}
        renames = [rule for rule in self.of(schema, table) if isinstance(rule, Rename)]
        for target in found:
            names = [rule.name for rule in renames if rule.target == target]
            if len(names) > 1:
                raise SettingsError(
                    f"{schema}.{table}: {len(names)} rules rename its {target}; DMS allows one"
                )
            found[target] = names[0] if names else found[target]
        return found["schema"], found["table"]


def _transformation(rule: dict):
    action, target = rule["rule-action"], rule["rule-target"]
    if action == "add-before-image-columns":
        definition = rule.get("before-image-def", {})
        return BeforeImages(
            definition.get("column-prefix", "BI_"),
            definition.get("column-suffix", ""),
            definition.get("column-filter") == "pk-only",
        )
    if action == "rename" and target in ("schema", "table"):
        return Rename(target, rule["value"])
    if action == "add-column":
        return _added(rule["value"], rule["expression"].strip(), rule.get("data-type", {}))
    raise SettingsError(f"{action} of a {target} is not supported")


def _added(name: str, expression: str, data_type: dict) -> Constant | Sequence:
    if expression == CHANGE_SEQUENCE:
        return Sequence(name)
    spelled = data_type.get("type", "string")
    if spelled not in TYPES:
        raise SettingsError(f"data-type {spelled} is not supported; known: {', '.join(TYPES)}")
    is_text = TYPES[spelled] == "varchar"
    if expression in NAMES:
        value = None
    elif text := re.fullmatch(r"'((?:[^']|'')*)'", expression):
        value = text[1].replace("''", "'")
    elif re.fullmatch(r"-?\d+", expression):
        value = expression if is_text else int(expression)
    else:
        known = ", ".join([CHANGE_SEQUENCE, *NAMES, "'a text'", "a whole number"])
        raise SettingsError(f"the expression {expression} is not supported; known: {known}")
    if not is_text and not isinstance(value, int):
        raise SettingsError(f"the value of {expression} is a text, but its data-type is {spelled}")
    return Constant(name, TYPES[spelled], NAMES.get(expression, ""), value)
