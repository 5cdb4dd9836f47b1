//! Whether the caches have caught up with what was written before this replica leads.

use std::{collections::BTreeSet, time::Duration};

use tokio::{sync::watch as signal, time::timeout};

use super::child_kind::ChildKind;

/// How long is waited for the caches of add-ons, which may never fill: a conversion webhook can be broken, or a
/// controller may have left its definitions behind.
const ADDON_WAIT: Duration = Duration::from_secs(10);

/// Which caches are filled.
///
/// There are terms. In each, all watches begin again with a list that the API server is asked for in that term, and a
/// cache is filled when that list is complete in it. The first term begins with the process. The second begins when the
/// lease is won, so that nothing is decided before everything is known that the replica before has written: a watch may
/// lag by any amount, and one of a kind that seldom changes does not tell how much.
pub(crate) struct CatchUp {
    term: signal::Sender<u64>,
    caches: signal::Sender<Vec<Cache>>,
}

/// The cache that one watch fills.
#[derive(Clone, Copy)]
struct Cache {
    /// What is in it: a kind of object that was made, or `None` for custom resources, their revisions and their pods.
    kind: Option<&'static ChildKind>,
    /// The last term in which it was filled.
    filled_in: Option<u64>,
}

impl Cache {
    /// Whether nothing can be done without it.
    fn is_essential(&self) -> bool {
        self.kind.is_none_or(|kind| kind.built_in)
    }
}

impl Default for CatchUp {
    fn default() -> Self {
        Self {
            term: signal::Sender::new(0),
            caches: signal::Sender::default(),
        }
    }
}

impl CatchUp {
    /// The part of a watch that is about to begin.
    pub(crate) fn register(&self, kind: Option<&'static ChildKind>) -> Filling {
        let mut index = 0;
        self.caches.send_modify(|caches| {
            index = caches.len();
            caches.push(Cache {
                kind,
                filled_in: None,
            });
        });
        Filling {
            index,
            term: self.term.subscribe(),
            caches: self.caches.clone(),
        }
    }

    /// Has all watches begin again.
    pub(crate) fn begin_term(&self) {
        self.term.send_modify(|term| *term += 1);
    }

    /// Waits until the caches are filled in this term; for those of add-ons only for a moment.
    pub(crate) async fn caught_up(&self) {
        let term = *self.term.borrow();
        let filled = |cache: &Cache| cache.filled_in >= Some(term);
        let mut caches = self.caches.subscribe();
        let essential =
            |caches: &Vec<Cache>| caches.iter().filter(|c| c.is_essential()).all(filled);
        // The sender is here, so that these cannot fail.
        drop(caches.wait_for(essential).await);
        let all = caches.wait_for(|caches| caches.iter().all(filled));
        if timeout(ADDON_WAIT, all).await.is_err() {
            let missing: Vec<String> = self.unfilled().iter().map(ToString::to_string).collect();
            tracing::warn!(kinds = ?missing, "the objects of some add-ons cannot be listed");
        }
    }

    /// Whether it is known which objects of a kind exist. While it is not, one that is not in the cache may well exist.
    #[must_use]
    pub(crate) fn is_filled(&self, kind: &ChildKind) -> bool {
        let term = *self.term.borrow();
        let caches = self.caches.borrow();
        let mut of_kind = caches
            .iter()
            .filter(|cache| cache.kind == Some(kind))
            .peekable();
        of_kind.peek().is_some() && of_kind.all(|cache| cache.filled_in >= Some(term))
    }

    fn unfilled(&self) -> BTreeSet<&'static ChildKind> {
        let kinds: BTreeSet<_> = self.caches.borrow().iter().filter_map(|c| c.kind).collect();
        let missing = kinds.into_iter().filter(|kind| !self.is_filled(kind));
        missing.collect()
    }
}

/// Tells that the cache of a watch is filled, and hears when that has to begin again.
pub(crate) struct Filling {
    index: usize,
    term: signal::Receiver<u64>,
    caches: signal::Sender<Vec<Cache>>,
}

impl Filling {
    /// The term that goes on now.
    pub(crate) fn term(&mut self) -> u64 {
        *self.term.borrow_and_update()
    }

    /// Waits for a term that [`Self::term`] has not told yet.
    pub(crate) async fn new_term(&mut self) {
        if self.term.changed().await.is_err() {
            // Nobody can begin one any more.
            std::future::pending::<()>().await;
        }
    }

    /// Tells that the list which was begun in this term is in the cache. Returns whether this is the first one.
    pub(crate) fn filled(&self, term: u64) -> bool {
        self.caches.send_if_modified(|caches| {
            let cache = caches.get_mut(self.index);
            let first = cache.filter(|cache| cache.filled_in < Some(term));
            first.map(|cache| cache.filled_in = Some(term)).is_some()
        })
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt as _;

    use super::*;

    #[tokio::test]
    async fn a_cache_that_was_filled_before_the_lease_was_won_does_not_count() {
        let catch_up = CatchUp::default();
        let mut pods = catch_up.register(None);
        assert!(catch_up.caught_up().now_or_never().is_none());
        let first = pods.term();
        assert!(pods.filled(first), "for the first time");
        assert!(!pods.filled(first), "a list that was taken once more");
        catch_up.caught_up().await;

        catch_up.begin_term();
        pods.new_term().await;
        assert!(!pods.filled(first), "a list that was begun before");
        assert!(catch_up.caught_up().now_or_never().is_none());
        let second = pods.term();
        assert!(pods.filled(second));
        catch_up.caught_up().await;
    }

    #[tokio::test]
    async fn it_is_known_of_which_kinds_the_objects_are() {
        let kind = |version, kind| ChildKind::of(version, kind).expect("it is known");
        let scaled_object = kind("keda.sh/v1alpha1", "ScaledObject");
        let catch_up = CatchUp::default();
        assert!(!catch_up.is_filled(scaled_object), "nobody watches it");
        let mut shop = catch_up.register(Some(scaled_object));
        let mut other = catch_up.register(Some(scaled_object));
        let term = shop.term();
        shop.filled(term);
        assert!(!catch_up.is_filled(scaled_object), "in one namespace only");
        let term = other.term();
        other.filled(term);
        assert!(catch_up.is_filled(scaled_object));
        catch_up.begin_term();
        assert!(!catch_up.is_filled(scaled_object));
        assert!(!catch_up.is_filled(kind("apps/v1", "Deployment")));
    }

    #[test]
    fn an_add_on_is_not_essential() {
        let cache = |version, kind| Cache {
            kind: ChildKind::of(version, kind),
            filled_in: None,
        };
        assert!(cache("apps/v1", "Deployment").is_essential());
        assert!(!cache("keda.sh/v1alpha1", "ScaledObject").is_essential());
    }
}
