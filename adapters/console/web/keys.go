package web

// keyHelp is one line of the list of keys.
type keyHelp struct{ Keys, Does string }

// keyTable lists the keys; the terminal has the same letters. static/keys.js obeys them.
var keyTable = []struct {
	Title string
	Keys  []keyHelp
}{
	{"Move", []keyHelp{
		{"1 – 9, 0", "the pages, in the order of the navigation"},
		{"j  k", "next, previous row; so do ↓ and ↑"},
		{"g  G", "first, last row"},
		{"ctrl-d  ctrl-u", "half a page down, up"},
		{"enter  d", "open the row"},
		{"esc  -", "back"},
		{"[  ]", "history back, forward"},
		{"n  p", "next, previous page of a list; on a decky p is its crashes"},
	}},
	{"Find", []keyHelp{
		{"/", "filter: state:degraded mailbox>10 !web-* , as the command line has it"},
		{":", "command: a page and a filter, as in :deckies web-*"},
		{"ctrl-z", "faults only"},
		{"s", "sort: the head of the next column"},
		{"N  S  A  M", "sort by name, state, age, mailbox; again: the other way"},
		{"space", "mark the row"},
		{"ctrl-\\", "no mark"},
		{"w", "wide"},
		{"x", "actor tree"},
	}},
	{"Look", []keyHelp{
		{"e", "events of the row"},
		{"l", "log of the row"},
		{"t", "tap of the row"},
		{"y", "copy this page as JSON"},
		{"f", "freeze: nothing on the page changes until f again"},
		{"ctrl-r", "look again now"},
		{"?", "this list"},
	}},
	{"Act, on what is marked, else on the row, else on the page; you are asked before it is done", []keyHelp{
		{"r", "resync"},
		{"R", "restart the actor"},
		{"P", "pause, resume"},
		{"Q", "quarantine, release"},
		{"ctrl-k", "kill the actor, for a drill"},
	}},
}
