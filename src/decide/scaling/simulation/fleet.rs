//! The tasks of a service that is played.

/// Tasks that serve and tasks that start.
#[derive(Clone, Debug)]
pub(super) struct Fleet {
    running: i64,
    /// When each starting task will serve, in seconds, ascending.
    starting: Vec<i64>,
    start_seconds: i64,
}

impl Fleet {
    /// Returns tasks that serve.
    pub(super) const fn new(running: i64, start_seconds: i64) -> Self {
        Self {
            running,
            starting: Vec::new(),
            start_seconds,
        }
    }

    pub(super) const fn running(&self) -> i64 {
        self.running
    }

    pub(super) fn desired(&self) -> i64 {
        self.running + i64::try_from(self.starting.len()).unwrap_or(i64::MAX)
    }

    /// Lets the tasks serve that have started by now.
    pub(super) fn go_on(&mut self, second: i64) {
        let served = self.starting.iter().filter(|at| **at <= second).count();
        self.starting.drain(..served);
        self.running += i64::try_from(served).unwrap_or(0);
    }

    /// Starts or stops tasks; those that do not serve yet stop first.
    pub(super) fn want(&mut self, tasks: i64, second: i64) {
        let tasks = tasks.max(0);
        while self.desired() < tasks {
            self.starting.push(second + self.start_seconds);
        }
        while self.desired() > tasks {
            if self.starting.pop().is_none() {
                self.running -= 1;
            }
        }
    }
}
