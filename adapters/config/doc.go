// Package config finds out what fleetd is told to do, and who said so.
//
// It owns the names of the settings, the places they come from and the order in which those count: flag, FLEETD_*
// variable, systemd credential or *_FILE variable, DECNET_* variable, DECNET's decnet.ini, its .env.local, default. It
// reads those files exactly as DECNET's own readers do, for one host has one configuration. It acts on nothing.
//
// Load is a function of its Input: the world is reached through the functions in there. What it reads is hostile: files
// are bounded, every value is checked, and no message or table of origins shows a password.
package config
