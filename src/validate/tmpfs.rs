//! File systems in memory.

use crate::ecs;

/// A tmpfs mount.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tmpfs {
    /// The position in `tmpfs`.
    pub index: usize,
    /// Where it is mounted.
    pub container_path: String,
    /// Its size in MiB.
    pub size_mib: i64,
    /// Whether it is read-only.
    pub read_only: bool,
    /// Positions and texts of mount options that the volume of a pod does not have.
    pub other_options: Vec<(usize, String)>,
}

pub(super) fn tmpfs_of(index: usize, raw: &ecs::Tmpfs) -> Tmpfs {
    let options = raw.mount_options.iter();
    // The last one counts.
    let access = options
        .clone()
        .rfind(|it| matches!(it.as_str(), "ro" | "rw"));
    Tmpfs {
        index,
        container_path: raw.container_path.clone().unwrap_or_default(),
        size_mib: raw.size.unwrap_or_default().max(ecs::Tmpfs::MIN_SIZE),
        read_only: access.is_some_and(|option| option == "ro"),
        other_options: options
            .enumerate()
            .filter(|(_, option)| *option != "ro" && !is_default(option))
            .map(|(index, option)| (index, option.clone()))
            .collect(),
    }
}

/// Whether the directory of an `emptyDir` in memory has this mount option of tmpfs anyway.
///
/// The kubelet mounts it with the defaults of Linux and makes it writable for all (mode 0777, owner root). Access times
/// are those of `relatime`; `mand` has had no effect since Linux 5.15, and nothing is synchronized in memory. Nobody else
/// mounts anything in it, so that it receives no mounts.
/// (<https://man7.org/linux/man-pages/man8/mount.8.html>, <https://man7.org/linux/man-pages/man5/tmpfs.5.html>)
pub(super) fn is_default(option: &str) -> bool {
    match option.split_once('=') {
        // The sticky bit only matters to programs of several users.
        Some(("mode", mode)) => matches!(mode.trim_start_matches('0'), "777" | "1777"),
        Some(("uid" | "gid", id)) => id == "0",
        Some(_) => false,
        None => matches!(
            option,
            "defaults"
                | "rw"
                | "exec"
                | "suid"
                | "dev"
                | "async"
                | "sync"
                | "dirsync"
                | "atime"
                | "noatime"
                | "diratime"
                | "nodiratime"
                | "relatime"
                | "norelatime"
                | "nostrictatime"
                | "mand"
                | "nomand"
                | "private"
                | "rprivate"
                | "slave"
                | "rslave"
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(options: &[&str]) -> (bool, Vec<String>) {
        let raw = ecs::Tmpfs {
            mount_options: options.iter().map(|&option| option.to_owned()).collect(),
            ..ecs::Tmpfs::default()
        };
        let tmpfs = tmpfs_of(0, &raw);
        let others = tmpfs.other_options.into_iter();
        (tmpfs.read_only, others.map(|(_, option)| option).collect())
    }

    #[test]
    fn the_last_option_says_whether_it_is_read_only() {
        assert_eq!(read(&["ro"]), (true, vec![]));
        assert_eq!(read(&["ro", "rw"]), (false, vec![]));
        assert_eq!(read(&["rw", "exec", "ro"]), (true, vec![]));
        assert_eq!(read(&[]), (false, vec![]));
    }

    #[test]
    fn options_that_a_volume_has_anyway_are_no_difference() {
        let same = [
            "defaults",
            "exec",
            "suid",
            "dev",
            "mode=1777",
            "mode=0777",
            "uid=0",
            "gid=0",
            "noatime",
        ];
        assert_eq!(read(&same).1, [""; 0]);
        let other = [
            "noexec",
            "nosuid",
            "nodev",
            "mode=0700",
            "mode=",
            "uid=1000",
            "gid=00",
            "mode",
            "size=1g",
            "strictatime",
            "shared",
            "nr_inodes=10",
            "",
        ];
        assert_eq!(read(&other).1, other);
    }
}
