// Package systemd tells the service manager how the daemon is: ready, a line of status, alive, reloading, stopping.
//
// It owns the words of sd_notify(3) and nothing else: when something is true is decided by whoever calls. Without a
// service manager (NOTIFY_SOCKET unset) there is no Notifier, and the methods of none do nothing. A message goes out as
// one datagram or not at all; nothing is kept, so that a caller who is told of a failure may say the same again.
package systemd
