"""Prices are superseded, never edited, and every configuration write raises the revision."""

from django.db import migrations

from tenants.triggers import (
    delete_refused,
    postgresql_trigger,
    revision_moves,
    sqlite_trigger,
    triggers_operation,
)

_PRICE = "providers_price"
_CONFIGURATION = (
    "providers_provider",
    "providers_providerkey",
    "providers_model",
    "providers_deployment",
    "providers_alias",
    "providers_route",
    _PRICE,
)
_SAME_PRICE = ("model", "side", "meter", "service_tier", "region")
_SAME_OR_NULL = ("provider_id", "tenant_id", "context_above")
_FIXED = ("id", "pico_per_unit", "valid_from", "source", "created_at", *_SAME_PRICE, *_SAME_OR_NULL)


def _overlap(null_safe: str) -> str:
    same = [f"other.{column} = NEW.{column}" for column in _SAME_PRICE]
    same += [f"other.{column} {null_safe} NEW.{column}" for column in _SAME_OR_NULL]
    return f"""EXISTS (
        SELECT 1 FROM providers_price AS other
        WHERE {" AND ".join(same)}
        AND (NEW.valid_until IS NULL OR other.valid_from < NEW.valid_until)
        AND (other.valid_until IS NULL
             OR (NEW.valid_from < other.valid_until AND other.valid_from < other.valid_until))
    )"""  # noqa: S608  # made of the constants above


_CLOSING = " AND ".join(
    (
        "OLD.valid_until IS NULL",
        "NEW.valid_until IS NOT NULL",
        *(f"OLD.{name} IS NEW.{name}" for name in _FIXED),
    )
)
_FUNCTION = f"""
CREATE OR REPLACE FUNCTION providers_price_guard() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'UPDATE' THEN
        IF OLD.valid_until IS NULL AND NEW.valid_until IS NOT NULL
           AND to_jsonb(OLD) - 'valid_until' = to_jsonb(NEW) - 'valid_until' THEN
            RETURN NEW;
        END IF;
        RAISE EXCEPTION 'a price is superseded, not edited: only its end is set, once'
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    PERFORM pg_advisory_xact_lock(hashtext('providers_price'));
    IF {_overlap("IS NOT DISTINCT FROM")} THEN
        RAISE EXCEPTION 'the price overlaps another one in time'
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NEW;
END $$
"""


class Migration(migrations.Migration):
    """Triggers of the providers app."""

    dependencies = (("providers", "0001_initial"), ("tenants", "0002_triggers"))
    operations = (
        triggers_operation(
            *(revision_moves(table) for table in _CONFIGURATION),
            delete_refused(_PRICE),
            (
                sqlite_trigger(
                    _PRICE,
                    "BEFORE INSERT",
                    "no_overlap",
                    "SELECT RAISE(ABORT, 'the price overlaps another one in time')",
                    when=_overlap("IS"),
                ),
                sqlite_trigger(
                    _PRICE,
                    "BEFORE UPDATE",
                    "no_edit",
                    "SELECT RAISE(ABORT, 'a price is superseded, not edited: only its end is set, once')",
                    when=f"NOT ({_CLOSING})",
                ),
                postgresql_trigger(
                    _PRICE,
                    "BEFORE INSERT OR UPDATE",
                    "guard",
                    "ROW EXECUTE FUNCTION providers_price_guard()",
                    _FUNCTION,
                ),
            ),
        ),
    )
