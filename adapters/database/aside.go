package database

import (
	"fmt"
	"os"
	"path/filepath"
)

// asideMark is between the path of a file of ours that was damaged and its number.
const asideMark = ".damaged-"

// floorShift leaves 2^32 revisions to a decky between two rebuilt files, and stays exact in a float64 for 2 million.
const floorShift = 32

// SetAside moves our own damaged SQLite file out of the way, with its -wal and -shm, and gives its new path. Init makes
// a new file then; revisions go on above those of the old one. A file that is not ours (Config.Own) is never moved.
func (db *DB) SetAside() (string, error) {
	if !db.cfg.Own {
		return "", &Error{Where: db.at.where, What: "set the file aside: it is not ours", Remedy: db.damagedRemedy()}
	}
	db.mu.Lock()
	defer db.mu.Unlock()
	db.drop()
	to := fmt.Sprintf("%s%s%d", db.at.path, asideMark, lastAside(db.at.path)+1)
	if err := os.Rename(db.at.path, to); err != nil {
		return "", &Error{Where: db.at.where, What: "set the file aside", cause: err, kind: kindUnopenable}
	}
	for _, tail := range []string{"-wal", "-shm"} {
		// A log left behind would be replayed into the new file.
		if err := os.Rename(db.at.path+tail, to+tail); err != nil && !os.IsNotExist(err) {
			return to, &Error{Where: db.at.where, What: "set the log aside", cause: err, kind: kindUnopenable}
		}
	}
	return to, nil
}

// lastAside is the highest number of a file set aside that is still there; 0 without one. Older ones may have been removed.
func lastAside(path string) (last int) {
	entries, err := os.ReadDir(filepath.Dir(path))
	if err != nil {
		return 0 // then the rename fails too, and says why
	}
	for _, e := range entries {
		var n int
		if _, err := fmt.Sscanf(e.Name(), filepath.Base(path)+asideMark+"%d", &n); err == nil &&
			e.Name() == fmt.Sprintf("%s%s%d", filepath.Base(path), asideMark, n) {
			last = max(last, n)
		}
	}
	return last
}

// floor is what every revision in this file is greater than: consumers never see one go back.
func (db *DB) floor() int64 {
	if !db.cfg.Own {
		return 0
	}
	return int64(lastAside(db.at.path)) << floorShift
}
