# Sourced by the rigs: what they share. A rig runs a static binary under a KVM that this machine does not
# have: an emulator imitates a processor with virtualization, in it a stock Debian kernel loads its KVM
# module, and the only program there is the binary.
#
# All packages come by apt from the mirror this machine uses, are unpacked in a cache and not installed.
# A rig sets $name and calls `rig_usage`, `rig_arguments`, the functions that fetch, and `finish`.

here=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd)
source "$here/../prepare.sh"

rig_usage() {
    sed -n '2,/^$/s/^# \{0,1\}//p' "$0"
    exit "$1"
}

# rig_arguments ARGUMENTS...: sets $binary, $arguments, $memory (MiB) and $limit (seconds).
rig_arguments() {
    limit=1500 memory=256
    while (($#)); do
        case $1 in
        -h | --help) rig_usage 0 ;;
        --limit)
            [[ ${2-} =~ ^[0-9]+$ ]] || die "--limit needs seconds, not '${2-}'" 2
            limit=$2
            shift 2
            ;;
        -*) die "unknown option $1; see --help" 2 ;;
        *) break ;;
        esac
    done
    (($#)) || die "which binary? See --help" 2
    binary=$1
    shift
    arguments=("$@")
    [[ -f $binary && -x $binary ]] || die "$binary is no executable file" 2
    if LC_ALL=C grep -qa -e '/lib64/ld-linux' "$binary" && readelf -l "$binary" 2>/dev/null | grep -q INTERP; then
        die "$binary is linked dynamically, and a rig has no libraries; build it with
    RUSTFLAGS='-C target-feature=+crt-static' cargo ... --target x86_64-unknown-linux-gnu" 2
    fi
    [[ $(. /etc/os-release && echo "${ID-}") == debian ]] ||
        die "the rigs are made of Debian's packages, and this is no Debian" 3
    require python3=python3
    codename=$(. /etc/os-release && echo "$VERSION_CODENAME")
    cache=${XDG_CACHE_HOME:-$HOME/.cache}/stepvisor/rigs/$codename
    mkdir -p "$cache/apt/lists/partial" "$cache/apt/cache/archives/partial" "$cache/deb" "$cache/root"
    # One at a time changes the cache.
    exec 9>"$cache/lock"
    flock 9
    scratch=$(mktemp -d)
    trap 'rm -rf "$scratch"' EXIT
}

# The mirror of Debian that this machine uses.
mirror() {
    apt-get indextargets --format '$(REPO_URI)' 'Identifier: Packages' "Codename: $codename" \
        'Origin: Debian' | sort -u | head -n 1
}

# An apt of the rigs' own: this machine's Debian sources and backports, nothing else. It takes what belongs
# to a rig for missing, so that it fetches that even where it is installed.
own_apt() {
    export APT_CONFIG=$cache/apt/apt.conf
    [[ -e $cache/apt/ready ]] && return
    unset APT_CONFIG
    local uri key=/usr/share/keyrings/debian-archive-keyring.gpg
    uri=$(mirror)
    if [[ -z $uri ]]; then
        # A new container has no lists yet.
        as_root apt-get update -qq
        uri=$(mirror)
    fi
    [[ -n $uri ]] || die "apt knows no mirror of Debian $codename here; the rigs' packages come from one" 3
    echo "Fetching the rigs' packages from $uri into $cache" >&2
    {
        apt-get indextargets --format "deb [signed-by=$key] \$(REPO_URI) \$(RELEASE) \$(COMPONENT)" \
            'Identifier: Packages' 'Origin: Debian' | sort -u
        echo "deb [signed-by=$key] $uri $codename-backports main"
    } >"$cache/apt/sources.list"
    awk -v RS= -v ORS='\n\n' '!/^Package: (bochs|qemu|seabios|vgabios|isolinux|syslinux|xorriso|busybox|linux-image)/' \
        /var/lib/dpkg/status >"$cache/apt/status"
    cat >"$cache/apt/apt.conf" <<EOC
Dir::Etc::sourcelist "$cache/apt/sources.list";
Dir::Etc::sourceparts "-";
Dir::State::lists "$cache/apt/lists";
Dir::State::status "$cache/apt/status";
Dir::Cache "$cache/apt/cache";
APT::Sandbox::User "root";
Debug::NoLocking "1";
EOC
    export APT_CONFIG=$cache/apt/apt.conf
    apt-get update -qq -o APT::Update::Error-Mode=any ||
        die "apt cannot read $uri ($codename, $codename-backports): the rigs need its packages" 3
    touch "$cache/apt/ready"
}

# fetch NAME PACKAGE...: has the packages and all that they need and this machine lacks unpacked in
# $cache/root; NAME stands for the set in the cache.
fetch() {
    local set=$1
    shift
    [[ -e $cache/$set.ready ]] && return
    own_apt
    apt-get install -qq -y --no-install-recommends --download-only "$@" >/dev/null ||
        die "apt cannot fetch $*, of which the rig $name is made" 3
    local deb
    for deb in "$cache"/apt/cache/archives/*.deb; do
        dpkg -x "$deb" "$cache/root"
        rm "$deb"
    done
    touch "$cache/$set.ready"
}

# fetch_alone NAME PACKAGE...: the same for packages whose dependencies do not matter.
fetch_alone() {
    local set=$1
    shift
    [[ -e $cache/$set.ready ]] && return
    own_apt
    rm -f "$cache"/deb/*.deb
    (cd "$cache/deb" && apt-get download -qq "$@") || die "apt cannot fetch $*, of which the rig $name is made" 3
    local deb
    for deb in "$cache"/deb/*.deb; do
        dpkg -x "$deb" "$cache/root"
        rm "$deb"
    done
    touch "$cache/$set.ready"
}

# Sets $kernel, and $modules to its directory. The cloud flavour: its kvm-amd needs no further modules.
fetch_kernel() {
    if [[ ! -e $cache/kernel.ready ]]; then
        own_apt
        local package
        package=$(apt-cache depends linux-image-cloud-amd64 | awk '/Depends:/ { print $2; exit }')
        [[ -n $package ]] || die "apt knows no linux-image-cloud-amd64" 3
        fetch_alone kernel "$package"
    fi
    kernel=$(find "$cache/root/boot" -name 'vmlinuz-*' | sort -V | tail -n 1)
    modules=$(find "$cache/root/lib/modules" -maxdepth 1 -name '*-cloud-amd64' | sort -V | tail -n 1)/kernel
    fetch_alone busybox busybox-static
}

# What of the guest's console is the binary's, line by line: for sed.
visible='s/\r$//; /^RIG-/d; /reboot: Power down/d'

# initrd MODULE OUT: writes the initial file system with the binary and KVM's MODULE to OUT. The guest's
# program prints to the console, and its exit status last.
initrd() {
    local module=$1 out=$2 words
    printf -v words '%q ' "${arguments[@]}"
    cat >"$scratch/init" <<EOI
#!/bin/busybox sh
B=/bin/busybox
\$B mount -t devtmpfs dev /dev; \$B mount -t proc proc /proc; \$B mount -t sysfs sys /sys; \$B mount -t tmpfs tmp /tmp
\$B ip link set lo up
for module in irqbypass kvm $module; do \$B insmod /\$module.ko || echo "RIG-LACKS \$module"; done
export STEPVISOR_RIG=$name HOME=/tmp TERM=dumb
cd /tmp; /binary $words; echo "RIG-EXIT \$?"
# The serial line has a buffer, which goes with the power.
\$B sleep 3
\$B poweroff -f
EOI
    strip -o "$scratch/binary" "$binary" 2>/dev/null || cp "$binary" "$scratch/binary"
    python3 "$here/initrd.py" "$out" \
        "init=$scratch/init" "binary=$scratch/binary" "bin/busybox=$cache/root/bin/busybox" \
        "irqbypass.ko=$modules/virt/lib/irqbypass.ko" \
        "kvm.ko=$modules/arch/x86/kvm/kvm.ko" "$module.ko=$modules/arch/x86/kvm/$module.ko"
}

# Runs an emulator with the libraries that came with it.
emulate() {
    local libraries=$cache/root/usr/lib/x86_64-linux-gnu
    LD_LIBRARY_PATH=$libraries:$cache/root/lib/x86_64-linux-gnu:$libraries/pulseaudio \
        timeout --kill-after=5 "$limit" "$@" </dev/null
}

# finish LOG ERRORS: ends with the status that the binary had; LOG is what the guest printed.
finish() {
    local status
    status=$(tr -d '\r' <"$1" | sed -n 's/^RIG-EXIT //p' | tail -n 1)
    grep -a '^RIG-LACKS' "$1" >&2 || true
    [[ -z $status ]] || exit "$status"
    printf '%s: no result: the emulator ended, or ran longer than %s s. Its last words:\n' "$name" "$limit" >&2
    tail -n 3 "$2" | cut -c 1-300 >&2
    exit 125
}
