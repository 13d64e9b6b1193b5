"""Answers that were kept for their tenant."""

from api.dialects.openai_responses import render_deleted
from api.telling.desk import Desk, Question


async def tell_kept(desk: Desk, question: Question) -> bytes:
    """An answer that was kept, as it was given, or that it is kept no longer."""
    tenant = question.principal.tenant_id
    if question.method == "DELETE":
        await desk.keeper.forget(tenant, question.name)
        return render_deleted(question.name)
    return await desk.keeper.read(tenant, question.name)
