//! Work on many items by all processors, with results in the order of the items.

use std::{num::NonZero, sync::mpsc::sync_channel, thread};

/// How many items a thread takes at a time.
const CHUNK: usize = 16;

/// How many finished chunks of a thread may wait for those of others. It bounds the memory.
const WAITING: usize = 2;

/// Calls `work` for each item and its number, on as many threads as there are processors, and `take` on this thread for
/// each result, in the order of the items. Each thread has a state of its own. A few items are worked on by this thread.
///
/// # Errors
///
/// The first error of `take`, which ends the work.
pub(crate) fn in_order<I: Sync, S, T: Send, E>(
    items: &[I],
    state: impl Fn() -> S + Sync,
    work: impl Fn(&mut S, usize, &I) -> T + Sync,
    take: impl FnMut(T) -> Result<(), E>,
) -> Result<(), E> {
    let threads = thread::available_parallelism().map_or(1, NonZero::get);
    in_order_on(threads, items, state, work, take)
}

fn in_order_on<I: Sync, S, T: Send, E>(
    threads: usize,
    items: &[I],
    state: impl Fn() -> S + Sync,
    work: impl Fn(&mut S, usize, &I) -> T + Sync,
    mut take: impl FnMut(T) -> Result<(), E>,
) -> Result<(), E> {
    let chunks = items.len().div_ceil(CHUNK);
    let threads = threads.min(chunks);
    if threads < 2 {
        let mut state = state();
        return items
            .iter()
            .enumerate()
            .try_for_each(|(number, item)| take(work(&mut state, number, item)));
    }
    thread::scope(|scope| {
        let (state, work) = (&state, &work);
        let mut receivers = Vec::with_capacity(threads);
        for first in 0..threads {
            let (sender, receiver) = sync_channel::<Vec<T>>(WAITING);
            receivers.push(receiver);
            scope.spawn(move || {
                let mut state = state();
                let chunks = items.chunks(CHUNK).enumerate();
                for (chunk, items) in chunks.skip(first).step_by(threads) {
                    let numbered = (chunk * CHUNK..).zip(items);
                    let results = numbered.map(|(number, item)| work(&mut state, number, item));
                    if sender.send(results.collect()).is_err() {
                        // Nobody wants the rest.
                        return;
                    }
                }
            });
        }
        for receiver in receivers.iter().cycle().take(chunks) {
            // A thread that panicked sends nothing more, and the end of the scope passes its panic on.
            let Ok(results) = receiver.recv() else { break };
            results.into_iter().try_for_each(&mut take)?;
        }
        Ok(())
    })
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use super::*;

    #[test]
    fn results_are_in_the_order_of_the_items() {
        let counts = [0, 1, CHUNK, CHUNK + 1, 1000];
        for (threads, count) in counts.iter().flat_map(|count| [(1, *count), (3, *count)]) {
            let items: Vec<usize> = (0..count).collect();
            let mut taken = Vec::new();
            let done = in_order_on(
                threads,
                &items,
                || 0,
                |calls, number, item| {
                    assert_eq!(number, *item);
                    *calls += 1;
                    if item % 7 == 0 {
                        thread::yield_now();
                    }
                    item * 2
                },
                |result| {
                    taken.push(result);
                    Ok::<_, Infallible>(())
                },
            );
            assert_eq!(done, Ok(()));
            let expected: Vec<usize> = items.iter().map(|item| item * 2).collect();
            assert_eq!(taken, expected);
        }
    }

    #[test]
    fn an_error_ends_the_work() {
        let items: Vec<usize> = (0..100_000).collect();
        let mut taken = 0;
        let done = in_order_on(
            2,
            &items,
            || (),
            |(), _, item| *item,
            |item| {
                taken += 1;
                if item == 40 { Err("enough") } else { Ok(()) }
            },
        );
        assert_eq!((done, taken), (Err("enough"), 41));
    }

    #[test]
    #[should_panic(expected = "a scoped thread panicked")]
    fn a_panic_is_passed_on() {
        let items: Vec<usize> = (0..100).collect();
        let _never = in_order_on(
            2,
            &items,
            || (),
            |(), _, item| assert!(*item < 50),
            |()| Ok::<_, Infallible>(()),
        );
    }
}
