//! The Service Connect names that a task offers, and which tasks the Service of a shared name leads to.

use crate::settings::OFFERS;

/// A Service Connect name, and a digest of the ports that it leads to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Offer {
    name: String,
    ports: String,
}

impl Offer {
    /// Parses an offer from a label of a pod or in the selector of a Service.
    #[must_use]
    pub fn of(label: &str, value: &str) -> Option<Self> {
        Some(Self {
            name: label.strip_prefix(OFFERS)?.to_owned(),
            ports: value.to_owned(),
        })
    }

    /// Returns the label that the Service of this offer selects, and its value.
    #[must_use]
    pub fn selector(&self) -> (String, String) {
        (format!("{OFFERS}{}", self.name), self.ports.clone())
    }
}

/// The Service of a name that several services may offer, as one of them finds it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SharedName {
    /// The current selector.
    pub live: Live,
    /// The position of this service among its owners. If it has none, any service that wants it is the first.
    pub place: Place,
    /// The other owners, the first one at the front.
    pub others: Vec<OtherOwner>,
    /// Whether a service that is not an owner yet wants the same.
    pub is_awaited: bool,
    /// How many ready tasks of its owners have the offer that this service wants.
    pub gained: usize,
    /// How many ready tasks that it leads to now do not have that offer.
    pub lost: usize,
}

/// What the Service of a name selects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Live {
    /// There is no Service yet.
    Nothing,
    /// What this service wants.
    AsWanted,
    /// All tasks of this service, whatever they offer.
    AllOfThis,
    /// Something else.
    Otherwise,
}

/// The position of a service among the owners of a Service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// It is not an owner.
    Outside,
    /// It is the first owner.
    First,
    /// It is a later owner.
    Behind,
}

/// Another owner of a Service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OtherOwner {
    /// Whether it wants the same.
    pub agrees: bool,
    /// Whether the Service is as it wants it, or as it was when this operator started if this owner has not been
    /// reconciled since then.
    pub holds: bool,
}

/// Which tasks the Service of a name should lead to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Leads {
    /// Those of this service alone, whatever they offer.
    ToThisAlone,
    /// Those that offer what this service wants.
    ToOffers,
    /// The same as now, because more tasks serve there than offer what this service wants.
    WhereItDoes,
    /// Those that this other owner wants.
    WhereAnotherWants(usize),
}

impl SharedName {
    /// Returns which tasks the Service should lead to, for the reconcile of this service.
    ///
    /// An owner that wants it as it is keeps it so, whatever others want. If no owner wants it as it is, the first one
    /// decides.
    #[must_use]
    pub fn leads(&self) -> Leads {
        let is_alone = self.others.is_empty();
        if is_alone && !self.is_awaited {
            return Leads::ToThisAlone;
        }
        if matches!(self.live, Live::Nothing | Live::AsWanted) {
            return Leads::ToOffers;
        }
        if let Some(other) = self.decided_by() {
            return Leads::WhereAnotherWants(other);
        }
        match self.place {
            _ if self.lost == 0 => Leads::ToOffers,
            // Its own tasks are not among those that the Service leads to: they have to wait until it can.
            Place::Outside => Leads::WhereAnotherWants(0),
            _ if self.gained >= self.lost => Leads::ToOffers,
            _ if is_alone => Leads::ToThisAlone,
            _ => Leads::WhereItDoes,
        }
    }

    /// Returns the other owner that wants something else and decides.
    fn decided_by(&self) -> Option<usize> {
        let others = &self.others;
        if self.live == Live::AllOfThis || others.iter().any(|it| it.holds && it.agrees) {
            return None;
        }
        let holder = others.iter().position(|it| it.holds);
        let first = match self.place {
            Place::First => None,
            Place::Outside | Place::Behind => others.first().map(|_| 0),
        };
        let disagrees = |other: &usize| others.get(*other).is_some_and(|it| !it.agrees);
        holder.or(first).filter(disagrees)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SAME: OtherOwner = OtherOwner {
        agrees: true,
        holds: false,
    };
    const OTHERWISE: OtherOwner = OtherOwner {
        agrees: false,
        holds: false,
    };
    const HOLDER: OtherOwner = OtherOwner {
        agrees: false,
        holds: true,
    };

    fn name(live: Live, place: Place, others: &[OtherOwner]) -> SharedName {
        SharedName {
            live,
            place,
            others: others.to_vec(),
            is_awaited: false,
            gained: 2,
            lost: 0,
        }
    }

    #[test]
    fn a_name_leads_where_whoever_holds_it_or_came_first_wants() {
        use Leads::{ToOffers, ToThisAlone, WhereAnotherWants};
        use Live::{AllOfThis, AsWanted, Nothing, Otherwise};
        use Place::{Behind, First, Outside};
        let cases: &[(&str, Live, Place, &[OtherOwner], Leads)] = &[
            ("there is none", Nothing, First, &[], ToThisAlone),
            ("it is alone", Otherwise, First, &[], ToThisAlone),
            ("the others left", AsWanted, First, &[], ToThisAlone),
            ("all agree", Otherwise, Behind, &[SAME, SAME], ToOffers),
            ("it joins", AsWanted, Outside, &[SAME], ToOffers),
            (
                "one that joins wants other ports",
                Otherwise,
                Outside,
                &[HOLDER],
                WhereAnotherWants(0),
            ),
            (
                "the first one changes its ports",
                Otherwise,
                First,
                &[HOLDER],
                WhereAnotherWants(0),
            ),
            (
                "the other one changes its ports",
                AsWanted,
                Behind,
                &[OTHERWISE],
                ToOffers,
            ),
            (
                "one joins those who hold it, though not all do",
                AsWanted,
                Outside,
                &[OTHERWISE],
                ToOffers,
            ),
            (
                "the one in the middle holds it",
                Otherwise,
                Behind,
                &[OTHERWISE, HOLDER],
                WhereAnotherWants(1),
            ),
            (
                "nobody holds it, and this one came first",
                Otherwise,
                First,
                &[OTHERWISE],
                ToOffers,
            ),
            (
                "nobody holds it, and another one came first",
                Otherwise,
                Behind,
                &[OTHERWISE],
                WhereAnotherWants(0),
            ),
            (
                "nobody holds it, and the first one wants the same",
                Otherwise,
                Behind,
                &[SAME, OTHERWISE],
                ToOffers,
            ),
            (
                "it leads to all tasks of this one, which another one owns too",
                AllOfThis,
                Behind,
                &[OTHERWISE],
                ToOffers,
            ),
        ];
        for (what, live, place, others, leads) in cases {
            assert_eq!(name(*live, *place, others).leads(), *leads, "{what}");
        }
    }

    #[test]
    fn a_name_follows_once_as_many_tasks_serve_as_it_loses() {
        let led = |place, others: &[OtherOwner], gained, lost| {
            let name = SharedName {
                is_awaited: true,
                gained,
                lost,
                ..name(Live::Otherwise, place, others)
            };
            name.leads()
        };
        for others in [&[SAME], &[OTHERWISE]] {
            assert_eq!(led(Place::First, others, 1, 2), Leads::WhereItDoes);
            assert_eq!(led(Place::First, others, 2, 2), Leads::ToOffers);
        }
        assert_eq!(led(Place::First, &[], 1, 2), Leads::ToThisAlone);
        // The running tasks of a joining service are of no use to the clients of the name.
        let joins = |lost| led(Place::Outside, &[SAME], 9, lost);
        assert_eq!(joins(1), Leads::WhereAnotherWants(0));
        assert_eq!(joins(0), Leads::ToOffers);
    }
}
