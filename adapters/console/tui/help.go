package tui

// helpText lists the keys; the web face has the same.
var helpText = []string{
	"",
	" 1-8           deckies, actors, events, crashes, deadletters, runtime, audit, cluster",
	" j k, arrows   move        g G        first, last      ctrl-d ctrl-u   half a page",
	" enter, d      open        esc, -     back             [ ]             history",
	" tab           next tab    p          crashes of the decky             e   its events",
	" /filter       as --filter:  web-*  state:degraded,failed  mailbox>10  !kind:decky  name=web-01",
	" ctrl-z        faults only esc        no filter",
	" s, N S A M    sort by a column, by name, state, age, mailbox; again: the other way",
	" space         mark        ctrl-\\     no mark          w               wide",
	" x             actor tree  y          JSON, again: copy                f   freeze",
	" r resync   R restart   P pause, resume   Q quarantine, release   ctrl-k kill",
	"               on what is marked, else on the row under the cursor; asked before it is done",
	" :name         a screen, :deckies web-*, or a verb     ctrl-r          look again",
	" :@name        ask that host of the cluster, as enter does on the cluster screen; :@ asks this one again",
	" /@name        of that host     P, :drain :undrain :forget   on the cluster screen: a whole host",
	" q             back, or end",
	"",
	" ! bad   ~ not as it should be   . running     TREND: services up at the last eight looks",
}
