export const MODELS_HELP = `perch models – the model files: what may run here, and how its files come and are checked

Usage: perch models list               the ladders of models.yaml, and whether their files are here
       perch models plan [LADDER]      what each level takes here, whether it fits, how fast
       perch models pull [LADDER]      fetch what is not here, or not right
       perch models import DIR         copy it from a folder: a USB stick, another box's disk
       perch models verify [LADDER]    check every file's bytes and sha256

  LADDER, or --ladder LADDER: a ladder of models.yaml; without it the one that the configuration
  names (engine.ladder). Its levels, files, bytes and hashes are in config/models.yaml.

  --config F     the configuration, for its ladder, its models.yaml and its data folder, which is
                 seen from where you stand: pull where the service runs, and as its user
  --mirror URL   of pull: take URL/FILE instead of the address in models.yaml, for networks of
                 one's own; http is allowed here. A token goes into the environment variable
                 PERCH_MIRROR_TOKEN, a private authority's certificate into NODE_EXTRA_CA_CERTS.
  --json         of plan: for programs

A file is written as NAME.partial and gets its name when its sha256 is right. Ctrl-C and a broken
connection lose nothing: the same command goes on where it was. A file that is right is left
alone; a wrong one stays until the right one is whole. HTTPS_PROXY and NO_PROXY count; where no
proxy leads out, use --mirror or import.

  perch models pull gemma-4-12b
  perch models pull gemma-4-12b --mirror https://files.clinic.example/models
  perch models import /media/usb --ladder gemma-4-12b
  perch models verify gemma-4-12b && perch run --config my-box.yaml

Exit codes: 0 done (verify: every level can run; plan: one fits), 1 something is missing or wrong,
2 a wrong command line, 130 ended by Ctrl-C. More in docs/models.md.
`;
