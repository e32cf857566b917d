export const BACKUP_HELP = `perch backup – copies of the record, and how one is put back

Usage: perch backup create [--json]
       perch backup list [--json]
       perch backup fetch [ID] [--out FILE]
       perch backup remove ID
       perch backup restore FILE|ID

  create     The running service makes a checked copy of its database in the data folder, beside its
             work. It makes one every day by itself too (record.backups in the configuration).
  list       Those that there are, the newest first.
  fetch      Brings one, the newest where none is named, into a file: perch-NODE-ID.db here, or
             FILE. One that broke off goes on where it was, by the same command. Nothing is written
             over. A backup on the same disk as the record is lost with it: keep copies elsewhere.
  remove     Removes one from the data folder.
  restore    Puts a backup in the record's place while the service is stopped: it is checked first.
             The record that was there stays, as perch.db.before-TIME beside it, until you remove
             it; restoring that file takes the restore back.
  --config F configuration of the service

  perch backup create && perch backup fetch --out /mnt/usb/perch.db
  sudo systemctl stop perch
  perch backup restore /mnt/usb/perch.db
  sudo systemctl start perch

A backup holds what was seen: observations, events, pictures, audit, and messages that still wait
for the broker. Accounts, tokens, certificates, changes that were made by HTTP, models and the
configuration are files of their own and not in it. Use it as the service's user, or with sudo.
More in docs/operations.md.
`;
