//! How much room is kept on the nodes of a capacity provider for tasks that begin.

use super::scaling::usage::Reserved;

/// The CPU of a placeholder is a multiple of this, in thousandths: a task more or less shall not change its size.
const STEP_OF_CPU: u64 = 250;
/// The memory of a placeholder is a multiple of this, in bytes.
const STEP_OF_MEMORY: u64 = 256 << 20;

/// The pods that keep room by doing nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Placeholders {
    /// How many there are.
    pub count: u32,
    /// What each of them reserves: about what a task does, so that a task can take its place.
    pub each: Reserved,
}

impl Placeholders {
    /// Returns those that are as large as what a target leaves spare, rounded up.
    ///
    /// With a target of T percent, the tasks are T percent of the whole, so the rest is (100 - T) / T of what they reserve
    /// (<https://docs.aws.amazon.com/AmazonECS/latest/developerguide/managed-scaling-behavior.html>).
    #[must_use]
    pub fn beside(tasks: &[Reserved], target: u32) -> Self {
        let count = u64::try_from(tasks.len()).unwrap_or(u64::MAX).max(1);
        let target = u64::from(target).clamp(1, 100);
        let spare = |reserved: u64| reserved.saturating_mul(100 - target).div_ceil(target);
        let part = |of: fn(&Reserved) -> u64, step: u64| {
            let all = tasks.iter().map(of).fold(0, u64::saturating_add);
            let each = all.div_ceil(count).next_multiple_of(step);
            let wanted = if each == 0 {
                0
            } else {
                spare(all).div_ceil(each)
            };
            (each, wanted)
        };
        let (millicores, for_cpu) = part(|task| task.millicores, STEP_OF_CPU);
        let (bytes, for_memory) = part(|task| task.bytes, STEP_OF_MEMORY);
        Self {
            count: u32::try_from(for_cpu.max(for_memory)).unwrap_or(u32::MAX),
            each: Reserved { millicores, bytes },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tasks(count: usize, millicores: u64, mebibytes: u64) -> Vec<Reserved> {
        let task = Reserved {
            millicores,
            bytes: mebibytes << 20,
        };
        vec![task; count]
    }

    #[test]
    fn the_room_is_a_part_of_what_tasks_reserve() {
        for (tasks, target, count, millicores, mebibytes) in [
            (tasks(20, 500, 1024), 80, 5, 500, 1024),
            (tasks(20, 500, 1024), 50, 20, 500, 1024),
            (tasks(20, 500, 1024), 100, 0, 500, 1024),
            (tasks(1, 500, 1024), 99, 1, 500, 1024),
            // A third of 3 tasks, in placeholders that are a little larger.
            (tasks(3, 300, 700), 75, 1, 500, 768),
            // Memory decides if it is the scarcer one.
            (
                [tasks(9, 10, 1024), tasks(1, 10, 10 * 1024)].concat(),
                50,
                10,
                250,
                2048,
            ),
            (tasks(4, 0, 512), 50, 4, 0, 512),
            (tasks(4, 0, 0), 50, 0, 0, 0),
            (Vec::new(), 50, 0, 0, 0),
        ] {
            let each = Reserved {
                millicores,
                bytes: mebibytes << 20,
            };
            let found = Placeholders::beside(&tasks, target);
            assert_eq!(found, Placeholders { count, each }, "{target} {tasks:?}");
        }
    }

    #[test]
    fn a_task_more_leaves_the_size() {
        let mut some = tasks(10, 400, 900);
        let before = Placeholders::beside(&some, 80);
        some.extend(tasks(1, 300, 800));
        let after = Placeholders::beside(&some, 80);
        assert_eq!(before.each, after.each);
        assert!(before.count <= after.count);
    }

    #[test]
    fn no_count_overflows() {
        let huge = Reserved {
            millicores: u64::MAX,
            bytes: u64::MAX,
        };
        let found = Placeholders::beside(&[huge, huge], 1);
        assert!(found.count > 0);
    }
}
