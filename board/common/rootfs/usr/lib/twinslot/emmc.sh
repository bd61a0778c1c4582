# The board's own eMMC, found by its controller: numbers of mmcblk change from kernel to kernel,
# and a copied card has the same names and UUIDs.

# Prints the name below /sys/class/block of every block device on it.
emmc_devices() {
    for device in /sys/class/block/*; do
        case $(readlink -f "$device") in
            */@CONTROLLER@/*boot[01] | */@CONTROLLER@/*rpmb) ;;
            */@CONTROLLER@/*) echo "${device##*/}" ;;
        esac
    done
}

# Prints the node of the partition called PARTUUID=.., PARTLABEL=.. or by its path.
emmc_partition() {
    for device in $(emmc_devices); do
        [ -e "/sys/class/block/$device/partition" ] || continue
        case $1 in
            PARTUUID=*) [ "$(emmc_partuuid "$device")" = "$(echo "${1#*=}" | tr A-F a-f)" ] || continue ;;
            PARTLABEL=*) grep -qxF "PARTNAME=${1#*=}" "/sys/class/block/$device/uevent" || continue ;;
            *) [ "/dev/$device" = "$1" ] || continue ;;
        esac
        echo "/dev/$device"
        return 0
    done
    return 1
}

# Prints a partition's PARTUUID, which Linux says only since 6.13: from its entry in the partition
# table, 128 bytes each from byte 1024 on, where the first three fields are little-endian.
emmc_partuuid() {
    read -r number <"/sys/class/block/$1/partition"
    hex=$(xxd -p -s $((1024 + (number - 1) * 128 + 16)) -l 16 "/dev/${1%p*}")
    set -- $(echo "$hex" | sed 's/../& /g')
    echo "$4$3$2$1-$6$5-$8$7-$9${10}-${11}${12}${13}${14}${15}${16}"
}

# Prints the letter of the slot at a node.
emmc_slot() {
    sed -n 's/^PARTNAME=slot-//p' "/sys/class/block/${1#/dev/}/uevent"
}

# Prints the node of the whole eMMC.
emmc_disk() {
    for device in $(emmc_devices); do
        if [ ! -e "/sys/class/block/$device/partition" ]; then
            echo "/dev/$device"
            return 0
        fi
    done
    return 1
}

# Makes names that stay: /dev/emmc, /dev/emmcp1 and so on.
emmc_links() {
    disk=$(emmc_disk) || return 1
    for device in $(emmc_devices); do
        ln -sf "/dev/$device" "/dev/emmc${device#"${disk#/dev/}"}"
    done
}
