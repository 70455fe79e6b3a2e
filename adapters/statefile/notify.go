package statefile

import (
	"fmt"

	"github.com/fsnotify/fsnotify"

	"github.com/decnet/decnet-fleetd/messages"
)

// notifier is a watch on a directory. The file itself cannot be watched: whoever replaces it by a rename leaves the
// watch with the old one.
type notifier struct {
	*fsnotify.Watcher
	dir fileID
}

// watchDir starts watching a directory; links to it are followed.
func watchDir(dir string) (*notifier, error) {
	w, err := fsnotify.NewWatcher()
	if err != nil {
		return nil, fmt.Errorf("watch directory %q: %w", dir, err)
	}
	if err := w.Add(dir); err != nil {
		_ = w.Close() // it watches nothing
		return nil, fmt.Errorf("watch directory %q: %w", dir, err)
	}
	id, err := identify(dir)
	if err != nil {
		_ = w.Close() // the directory is gone again
		return nil, fmt.Errorf("watch directory %q: %w", dir, err)
	}
	return &notifier{w, id}, nil
}

// alive says whether the watch is still on the directory that id tells. A directory that is made anew may have the
// inode number of the old one; but the watch died with that.
func (n *notifier) alive(id fileID) bool {
	return n != nil && n.dir == id && len(n.WatchList()) > 0
}

// signs are the channels of the watch, nil without one.
func (o *observation) signs() (<-chan fsnotify.Event, <-chan error) {
	if o.notifier == nil {
		return nil, nil
	}
	if o.due != nil { // a look is due, which sees more: the kernel keeps the signs until then, and merges them
		return nil, o.notifier.Errors
	}
	return o.notifier.Events, o.notifier.Errors
}

// rewatch makes sure that the directory that is there now is watched, and says whether it was not.
func (o *observation) rewatch() (changed bool) {
	dir := o.reader.dir
	id, err := identify(dir)
	if err != nil {
		changed = o.notifier != nil
		o.unwatch()
		o.blind = messages.Fault{} // there is nothing to watch, and the reading says so
		return changed
	}
	if o.notifier.alive(id) {
		return false
	}
	o.unwatch()
	n, err := o.w.watch(dir)
	if err != nil {
		was := o.blind
		o.blind = messages.Fault{Where: dir, What: fmt.Sprintf("cannot be watched, so changes are found only by looking every %v: %v",
			o.w.cfg.Settings.Poll, err), Remedy: "raise fs.inotify.max_user_instances and fs.inotify.max_user_watches"}
		return o.blind != was
	}
	o.notifier, o.blind = n, messages.Fault{}
	return true
}

func (o *observation) unwatch() {
	if o.notifier != nil {
		_ = o.notifier.Close() // it has nothing to flush
		o.notifier = nil
	}
}
