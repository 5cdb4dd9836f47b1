//! Tracks whether the caches have caught up with everything written before this replica became the leader.

use std::{collections::BTreeSet, time::Duration};

use tokio::{sync::watch as signal, time::timeout};

use super::child_kind::ChildKind;

/// How long to wait for the caches of add-ons and policies, which may never fill: a conversion webhook can be broken, a
/// controller may have left its definitions behind, or the operator may lack a right.
const ADDON_WAIT: Duration = Duration::from_secs(10);

/// Which caches are filled.
///
/// Time is divided into terms. In each term, all watches start over with a list that is requested in that term, and a
/// cache is filled when it contains the complete list. The first term begins with the process. The second begins when
/// the lease is won, so that no decision is made before everything that the previous leader wrote is known: a watch may
/// lag by any amount, and a watch of a kind that seldom changes does not show by how much.
pub(crate) struct CatchUp {
    term: signal::Sender<u64>,
    caches: signal::Sender<Vec<Cache>>,
}

/// The cache that one watch fills.
#[derive(Clone, Copy)]
struct Cache {
    /// The kind of the children in it, or `None` for custom resources, their revisions and their pods.
    kind: Option<&'static ChildKind>,
    /// The last term in which it was filled.
    filled_in: Option<u64>,
    /// Why the API server last refused to list it.
    refused: Option<Refused>,
}

/// Why the API server refuses to list the objects of a kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refused {
    /// There is no such kind, and so none of its objects.
    Absent,
    /// The operator may not list them, and it is unknown which there are.
    Forbidden,
}

impl Cache {
    /// Whether the operator can do nothing without it.
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
    /// Registers a watch that is about to start.
    pub(crate) fn register(&self, kind: Option<&'static ChildKind>) -> Filling {
        let mut index = 0;
        self.caches.send_modify(|caches| {
            index = caches.len();
            caches.push(Cache {
                kind,
                filled_in: None,
                refused: None,
            });
        });
        Filling {
            index,
            term: self.term.subscribe(),
            caches: self.caches.clone(),
        }
    }

    /// Begins a new term, in which all watches start over, also those that were refused.
    pub(crate) fn begin_term(&self) {
        self.caches
            .send_modify(|caches| caches.iter_mut().for_each(|cache| cache.refused = None));
        self.term.send_modify(|term| *term += 1);
    }

    /// Waits until the caches are filled in this term; for those of add-ons and policies, at most [`ADDON_WAIT`].
    pub(crate) async fn caught_up(&self) {
        let term = *self.term.borrow();
        let filled = |cache: &Cache| cache.filled_in >= Some(term);
        let mut caches = self.caches.subscribe();
        let essential =
            |caches: &Vec<Cache>| caches.iter().filter(|c| c.is_essential()).all(filled);
        // This cannot fail, because `self` holds the sender.
        drop(caches.wait_for(essential).await);
        // What the API server refuses does not come by waiting.
        let known =
            |cache: &Cache| filled(cache) || (cache.refused.is_some() && !cache.is_essential());
        let all = caches.wait_for(|caches| caches.iter().all(known));
        if timeout(ADDON_WAIT, all).await.is_err() {
            let missing: Vec<String> = self.unfilled().iter().map(ToString::to_string).collect();
            tracing::warn!(kinds = ?missing, "the objects of some kinds cannot be listed");
        }
    }

    /// Whether all objects of a kind are known. Otherwise, an object that is not in the cache may still exist.
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

    /// Whether the API server refuses to list the objects of a kind, for example because of a missing right.
    #[must_use]
    pub(crate) fn is_refused(&self, kind: &ChildKind) -> bool {
        let caches = self.caches.borrow();
        caches
            .iter()
            .any(|cache| cache.kind == Some(kind) && cache.refused.is_some())
    }

    /// Whether it is unknown which objects of a kind there are, because the operator may not list them. Objects that it
    /// could list in this term count as known.
    #[must_use]
    pub(crate) fn is_forbidden(&self, kind: &ChildKind) -> bool {
        let term = *self.term.borrow();
        let caches = self.caches.borrow();
        let mut of_kind = caches.iter().filter(|cache| cache.kind == Some(kind));
        of_kind
            .any(|cache| cache.filled_in < Some(term) && cache.refused == Some(Refused::Forbidden))
    }

    /// Whether the list of a kind is under way: a watch has begun, is not filled, and is not refused.
    #[must_use]
    pub(crate) fn is_pending(&self, kind: &ChildKind) -> bool {
        let term = *self.term.borrow();
        let caches = self.caches.borrow();
        let mut of_kind = caches.iter().filter(|cache| cache.kind == Some(kind));
        of_kind.any(|cache| cache.filled_in < Some(term) && cache.refused.is_none())
    }

    fn unfilled(&self) -> BTreeSet<&'static ChildKind> {
        let kinds: BTreeSet<_> = self.caches.borrow().iter().filter_map(|c| c.kind).collect();
        let missing = kinds.into_iter().filter(|kind| !self.is_filled(kind));
        missing.collect()
    }
}

/// Reports that the cache of a watch is filled, and learns when the watch has to start over.
#[derive(Clone)]
pub(crate) struct Filling {
    index: usize,
    term: signal::Receiver<u64>,
    caches: signal::Sender<Vec<Cache>>,
}

impl Filling {
    /// Returns the current term.
    pub(crate) fn term(&mut self) -> u64 {
        *self.term.borrow_and_update()
    }

    /// Waits for a term that [`Self::term`] has not returned yet.
    pub(crate) async fn new_term(&mut self) {
        if self.term.changed().await.is_err() {
            // No other term can begin.
            std::future::pending::<()>().await;
        }
    }

    /// Reports that the API server refuses the list.
    pub(crate) fn refused(&self, why: Refused) {
        self.caches.send_if_modified(|caches| {
            let cache = caches.get_mut(self.index);
            let changed = cache.filter(|cache| cache.refused != Some(why));
            changed.map(|cache| cache.refused = Some(why)).is_some()
        });
    }

    /// Reports that the list that was started in this term is in the cache. Returns whether it is the first one.
    pub(crate) fn filled(&self, term: u64) -> bool {
        self.caches.send_if_modified(|caches| {
            let cache = caches.get_mut(self.index);
            let first = cache.filter(|cache| cache.filled_in < Some(term));
            first
                .map(|cache| (cache.filled_in, cache.refused) = (Some(term), None))
                .is_some()
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

    #[tokio::test]
    async fn what_the_api_server_refuses_to_list_is_not_waited_for() {
        let kind = |version, kind| ChildKind::of(version, kind).expect("it is known");
        let store = kind("external-secrets.io/v1", "SecretStore");
        let catch_up = CatchUp::default();
        let mut stores = catch_up.register(Some(store));
        let is_over = || catch_up.caught_up().now_or_never().is_some();
        assert!(!is_over());
        stores.refused(Refused::Forbidden);
        assert!(is_over());
        assert!(catch_up.is_refused(store) && !catch_up.is_filled(store));
        assert!(catch_up.is_forbidden(store) && !catch_up.is_pending(store));
        catch_up.begin_term();
        assert!(!is_over(), "it is asked again");
        stores.refused(Refused::Absent);
        assert!(catch_up.is_refused(store) && !catch_up.is_forbidden(store));
        let term = stores.term();
        assert!(stores.filled(term), "the right is there now");
        assert!(!catch_up.is_refused(store));
        stores.refused(Refused::Forbidden);
        assert!(
            !catch_up.is_forbidden(store),
            "what was listed in this term is known"
        );
        let workloads = catch_up.register(Some(kind("apps/v1", "Deployment")));
        workloads.refused(Refused::Forbidden);
        assert!(!is_over(), "nothing can be done without them");
    }

    #[test]
    fn an_add_on_is_not_essential() {
        let cache = |version, kind| Cache {
            kind: ChildKind::of(version, kind),
            filled_in: None,
            refused: None,
        };
        assert!(cache("apps/v1", "Deployment").is_essential());
        assert!(!cache("keda.sh/v1alpha1", "ScaledObject").is_essential());
    }
}
