# First process of a node's namespaces: furnishes them, then takes the status of orphans.
# $1: folder of the cluster  $2: control group of the pods  $3: file that tells that it is ready  $4: address
# $5: address of a second node  $6: program for shared storage
set -e
# Mounts of pods have to reach the kubelet and containerd; the namespace as a whole is private to the sandbox.
mount --make-rshared /
for folder in /run /var/log; do mount -t tmpfs tmpfs $folder; done
mkdir -p /run/lock /run/proc /run/sbin /run/sysctl /run/lib/upper /run/lib/work "$1/kubelet"
# What is made below /var/lib is made here only.
mount -t overlay overlay -o lowerdir=/var/lib,upperdir=/run/lib/upper,workdir=/run/lib/work /var/lib
mkdir -p /var/lib/kubelet
# mount(8) looks for its helpers only where the machine's own are, and the helper of the kernel's client has this name.
ln -s "$6" /run/sbin/mount.nfs
helpers=$(readlink -f /sbin)
mount -t overlay overlay -o "lowerdir=/run/sbin:$helpers" "$helpers"
# Device plugins know the kubelet's folder by this path only.
mount --bind "$1/kubelet" /var/lib/kubelet
# A user namespace may mount /proc only where one that nothing covers is visible.
mount -t proc proc /run/proc
# What the kubelet wants of the machine; it is shown these files instead, see the node's start.
echo 10 >/run/sysctl/panic
echo 1 >/run/sysctl/panic_on_oops
echo 1 >/run/sysctl/overcommit_memory

ip link set lo up
ip link add node0 type bridge
ip address add "$4/24" dev node0
ip address add "$5/24" dev node0
ip link set node0 up
# Without a route to the addresses of Services a connection fails before it can be redirected. There is no default
# route, so nothing leaves.
ip route add 10.96.0.0/16 dev node0 src "$4"
echo 1 >/proc/sys/net/ipv4/ip_forward

if [ -f /sys/fs/cgroup/cgroup.controllers ]; then
  mkdir -p "/sys/fs/cgroup/$2/node-2"
  for group in /sys/fs/cgroup "/sys/fs/cgroup/$2" "/sys/fs/cgroup/$2/node-2"; do
    for controller in cpu cpuset io memory pids; do
      echo +$controller >"$group/cgroup.subtree_control" || true
    done
  done
else
  for hierarchy in /sys/fs/cgroup/*/; do
    [ -f "$hierarchy/cgroup.procs" ] && mkdir -p "$hierarchy/$2/node-2"
  done
  # A set of processors begins empty and then takes no process.
  for file in cpuset.cpus cpuset.mems; do
    for group in "$2" "$2/node-2"; do
      cat "/sys/fs/cgroup/cpuset/$file" >"/sys/fs/cgroup/cpuset/$group/$file"
    done
  done
fi

: >"$3"
while :; do sleep 1; done
