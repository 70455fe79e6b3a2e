package main

import (
	"os/user"
	"strconv"
	"strings"
	"sync"

	"github.com/rs/zerolog"

	"github.com/decnet/decnet-fleetd/adapters/console"
)

// Groups whose members may look or act. Source: DECNET's own group is decnet.
const (
	readerGroup   = "decnet"
	operatorGroup = "decnet-ops"
)

// access finds the ids of users and groups, once: a name service that hangs must not hold requests up.
func access(admins string, log zerolog.Logger) console.Access {
	a := console.Access{Readers: groupID(readerGroup), Operators: groupID(operatorGroup)}
	for _, name := range strings.FieldsFunc(admins, func(r rune) bool { return r == ',' || r == ' ' }) {
		id := name
		if u, err := user.Lookup(name); err == nil {
			id = u.Uid
		}
		n, err := strconv.ParseUint(id, 10, 32)
		if err != nil {
			log.Warn().Str("admin", name).Msg("there is no such user: nobody is an admin by that name")
			continue
		}
		a.Admins = append(a.Admins, uint32(n))
	}
	return a
}

func groupID(name string) []uint32 {
	g, err := user.LookupGroup(name)
	if err != nil {
		return nil // a host without the group has no members of it
	}
	n, err := strconv.ParseUint(g.Gid, 10, 32)
	if err != nil {
		return nil
	}
	return []uint32{uint32(n)}
}

// maxUserNames bounds the names that are remembered. Chosen: a handful of people.
const maxUserNames = 256

// userNames looks a user's name up once.
func userNames() func(uid uint32) string {
	var mu sync.Mutex
	known := map[uint32]string{}
	return func(uid uint32) string {
		mu.Lock()
		defer mu.Unlock()
		name, is := known[uid]
		if is {
			return name
		}
		if u, err := user.LookupId(strconv.FormatUint(uint64(uid), 10)); err == nil {
			name = u.Username
		}
		if len(known) < maxUserNames {
			known[uid] = name
		}
		return name
	}
}
