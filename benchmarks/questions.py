"""The questions, in the order of the table."""

from benchmarks import (
    all_of_many,
    async_link,
    async_link_waiting,
    await_pending,
    await_settled,
    bytes_per_link,
    bytes_per_settled,
    cancel_links,
    chain_of_100,
    import_time,
    make_settled,
    map_with_limit,
    race_of_two,
    settle_from_thread,
    short_chain,
    sync_link,
    timeout_of_ready,
)

QUESTIONS = [
    module.QUESTION
    for module in (
        make_settled,
        short_chain,
        chain_of_100,
        sync_link,
        async_link,
        async_link_waiting,
        await_settled,
        await_pending,
        settle_from_thread,
        timeout_of_ready,
        race_of_two,
        all_of_many,
        map_with_limit,
        cancel_links,
        bytes_per_link,
        bytes_per_settled,
        import_time,
    )
]
