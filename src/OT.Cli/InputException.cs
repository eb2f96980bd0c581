namespace OT.Cli;

/// <summary>Input that cannot be used: the message names the file, the place, the value and the rule.</summary>
sealed class InputException(string message, Exception? inner = null) : Exception(message, inner);
