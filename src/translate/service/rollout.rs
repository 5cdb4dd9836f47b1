//! Minimum and maximum healthy percent as numbers of tasks.
