#!/bin/sh
# SPDX-License-Identifier: MIT
# What Linux makes of the machine around its CPUs: ACPI, I/O APIC, serial ports, clock, power button,
# reset and power-off.
# lab: svm --smp 2
# bring: @BUILD@/tests/lab/machine_guest
# bring: @BUILD@/guest/vmlinuz
# bring: @BUILD@/guest/initramfs
# timeout: 400
exec machine_guest /lab/bin/vmlinuz /lab/bin/initramfs "${ENGINE:-shim}"
