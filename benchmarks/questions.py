"""The questions that are asked of all ways, in the order of the table."""

from benchmarks import (
    all_of_many,
    async_link,
    async_link_waiting,
    await_pending,
    await_settled,
    bytes_per_link,
    bytes_per_settled,
    cancel_links,
    import_time,
    map_with_limit,
    short_chain,
    sync_link,
)

QUESTIONS = [
    module.QUESTION
    for module in (
        sync_link,
        short_chain,
        async_link,
        async_link_waiting,
        await_settled,
        await_pending,
        all_of_many,
        map_with_limit,
        cancel_links,
        bytes_per_link,
        bytes_per_settled,
        import_time,
    )
]
