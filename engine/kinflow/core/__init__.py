"""The mathematics, once: functions over arrays of numpy and torch alike.

Nothing here imports torch, reads files, prints or picks a device. The array namespace (of
`array-api-compat`) is passed as the first argument, `xp`. Arrays are indexed, reshaped and combined
by their own methods and operators, which numpy and torch share; all else goes through `xp`.
"""
