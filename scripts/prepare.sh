# Sourced by the other scripts: what they need from a Debian machine, checked and installed.

die() {
    printf '%s: %s\n' "${0##*/}" "$1" >&2
    exit "${2:-1}"
}

# Shows a command as typed at a prompt, then runs it.
show() {
    local word line=
    for word in "$@"; do
        [[ $word =~ ^[A-Za-z0-9_./:=,+@%-]+$ ]] || word="'$word'"
        [[ $word != -ex ]] || line+=$' \\\n   '
        line+=" $word"
    done
    printf '\n$%s\n' "$line"
    "$@"
}

# Ends the script with advice unless this user can use KVM.
require_kvm() {
    if [[ ! -e /dev/kvm ]]; then
        die "/dev/kvm is missing: guests need KVM.
  On a PC, turn virtualization (VT-x or AMD-V) on in the firmware settings and load the module:
    sudo modprobe kvm_intel    # or kvm_amd
  In a virtual machine, its host must allow nested virtualization; in a container, start it with
    --device /dev/kvm" 4
    fi
    [[ -r /dev/kvm && -w /dev/kvm ]] && return
    local group mode
    group=$(stat -c %G /dev/kvm)
    mode=$(stat -c %A /dev/kvm)
    if [[ $group != root && $mode == ????rw* ]]; then
        die "no permission to use /dev/kvm: join the group $group, then log in again:
    sudo usermod -aG $group $(id -un)" 4
    fi
    die "no permission to use /dev/kvm, and no group has any ($mode, group $group). To open it to the group kvm:
    sudo groupadd -f --system kvm; sudo chgrp kvm /dev/kvm; sudo chmod 660 /dev/kvm
    sudo usermod -aG kvm $(id -un)    # then log in again" 4
}

# as_root COMMAND...: says so when it takes sudo.
as_root() {
    if ((EUID == 0)); then
        "$@"
    else
        printf 'With sudo: %s\n' "$*" >&2
        sudo "$@"
    fi
}

# require COMMAND=PACKAGE...: installs the packages of the commands that are missing.
require() {
    local pair packages=()
    for pair in "$@"; do
        command -v "${pair%%=*}" >/dev/null || packages+=("${pair#*=}")
    done
    # A compiler alone cannot link: the C library's start files are needed too.
    if [[ " $* " == *" gcc="* && -z $(find /usr/lib /usr/lib64 -name crt1.o -print -quit 2>/dev/null) ]]; then
        packages+=(libc6-dev)
    fi
    ((${#packages[@]} == 0)) && return
    command -v apt-get >/dev/null ||
        die "missing: ${packages[*]} (Debian's names); install them, there is no apt here to do it" 3
    ((EUID == 0)) || command -v sudo >/dev/null ||
        die "missing, and there is no sudo; as root, run: apt-get install ${packages[*]}" 3
    echo "Installing ${packages[*]}" >&2
    as_root apt-get update -qq
    as_root env DEBIAN_FRONTEND=noninteractive \
        apt-get install -qq -y --no-install-recommends "${packages[@]}" >/dev/null
}

# Whether version $1 is at least $2.
at_least() {
    [[ $(printf '%s\n' "$1" "$2" | sort -V | head -n 1) == "$2" ]]
}

cargo_version() {
    cargo --version | cut -d ' ' -f 2
}

cargo_is_new_enough() {
    local version
    version=$(cargo_version 2>/dev/null) && at_least "$version" "$1"
}

# Cargo in PATH, as new as Cargo.toml asks; installed by rustup when not.
require_rust() {
    local wanted
    wanted=$(sed -n 's/^rust-version = "\(.*\)"/\1/p' Cargo.toml)
    [[ -n $wanted ]] || die "Cargo.toml has no rust-version"
    cargo_is_new_enough "$wanted" && return
    # An earlier rustup may only be missing from this shell's PATH.
    PATH=${CARGO_HOME:-$HOME/.cargo}/bin:$PATH
    cargo_is_new_enough "$wanted" && return

    # What downloads Rust trusts nobody without these, and a small Debian has none.
    if command -v apt-get >/dev/null; then
        require update-ca-certificates=ca-certificates
    fi
    if ! command -v rustup >/dev/null; then
        if apt-get install --simulate rustup >/dev/null 2>&1; then
            require rustup=rustup
        else
            require curl=curl
            # What sh.rustup.rs leads to, on the host that the toolchains come from anyway.
            local script=https://static.rust-lang.org/rustup/rustup-init.sh
            echo "Installing Rust with $script into ${CARGO_HOME:-$HOME/.cargo}" >&2
            curl --proto '=https' --tlsv1.2 -sSf "$script" |
                sh -s -- -y -q --no-modify-path --profile minimal --default-toolchain none
        fi
    fi
    rustup -q toolchain install stable --profile minimal --no-self-update
    rustup default >/dev/null 2>&1 || rustup -q default stable
    export RUSTUP_TOOLCHAIN=stable # whatever else is the user's default
    hash -r
    cargo_is_new_enough "$wanted" ||
        die "cargo $wanted or newer is needed; 'cargo --version' says: $(cargo --version 2>&1)" 3
}

# rustfmt and clippy, which a minimal Rust lacks.
require_rust_tools() {
    cargo fmt --version >/dev/null 2>&1 && cargo clippy --version >/dev/null 2>&1 && return
    command -v rustup >/dev/null ||
        die "cargo has no fmt or no clippy; on Debian: sudo apt-get install rustfmt rust-clippy" 3
    rustup -q component add rustfmt clippy
}
