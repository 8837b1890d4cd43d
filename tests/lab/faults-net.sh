#!/bin/sh
# SPDX-License-Identifier: MIT
# A guest's networks fail: the server behind the user network goes, all of the host's loopback, the TAP
# interface is set down. The guest's connections fail or wait, and work again when the network is back.
# lab: svm --smp 2 --modules tun
# bring: @BUILD@/tests/lab/ptyrun
# bring: @BUILD@/guest/vmlinuz
# bring: @BUILD@/guest/initramfs
# timeout: 400
export HOME=/tmp

fail()
{
	echo "FAIL: $*"
	macrohard-hypervisor logs --vm net
	macrohard-hypervisor stop --force net
	exit 1
}

ip link set lo up
modprobe tun
tunctl -t tap0 && ip address add 10.9.8.1/24 dev tap0 && ip link set tap0 up || exit 1
mkdir -p /tmp/www
seq 10000 >/tmp/www/numbers
sum=$(md5sum </tmp/www/numbers | cut -c -32)
cat >/tmp/serve <<'END'
#!/bin/sh
exec httpd -f -p 8000 -h /tmp/www
END
chmod 755 /tmp/serve
/tmp/serve &
echo $! >/tmp/server
macrohard-hypervisor create --name net --memory 256M --net user --net tap=tap0 --kernel /lab/bin/vmlinuz \
	--initrd /lab/bin/initramfs --cmdline "console=ttyS0 quiet panic=-1 mh.shell" || exit 1
macrohard-hypervisor start net || exit 1

# In the guest: g ADDRESS SECONDS: is that the file? u: the same until it is, or a minute.
ptyrun -t 200 -x "switches the guest off" \
	-s 'modprobe virtio_pci; modprobe virtio_net; ip link set lo up\r' \
	-s 'ifconfig eth0 10.0.2.15 netmask 255.255.255.0; ifconfig eth1 10.9.8.2 netmask 255.255.255.0\r' \
	-s 'g() { timeout $2 wget -q -O - http://$1:8000/numbers | md5sum | grep -q '"$sum"'; }\r' \
	-s 'u() { for n in $(seq 30); do g $1 20 && return; sleep 1; done; return 1; }\r' \
	-s 'g 10.0.2.2 60; echo =$?=a; g 10.9.8.1 60; echo =$?=b\r' -x =0=a -x =0=b \
	-c 'kill "$(cat /tmp/server)"' \
	-s 'g 10.0.2.2 60; echo =$?=c; g 10.9.8.1 60; echo =$?=d\r' -x =1=c -x =1=d \
	-c '/tmp/serve >/dev/null 2>&1 & ip link set lo down' \
	-s 'g 10.0.2.2 20; echo =$?=e; u 10.9.8.1; echo =$?=f\r' -x =1=e -x =0=f \
	-c 'ip link set lo up; ip link set tap0 down' \
	-s 'u 10.0.2.2; echo =$?=g; g 10.9.8.1 20; echo =$?=h\r' -x =0=g -x =1=h \
	-c 'ip link set tap0 up' \
	-s 'u 10.9.8.1; echo =$?=i; dmesg | grep -E "hang|timed out|bad gso"; echo =$?=j\r' \
	-x =0=i -x =1=j \
	-s 'exit\r' -x 'switching off' -- macrohard-hypervisor console net || fail "the console"
for _ in $(seq 100); do
	macrohard-hypervisor list | grep -q '^net  *stopped (poweroff)' && break
	sleep 1
done
macrohard-hypervisor list | grep '^net  *stopped (poweroff)' || fail "the guest did not go on"
