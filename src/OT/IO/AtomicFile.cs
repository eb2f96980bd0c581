namespace OT.IO;

/// <summary>Replaces a file as a whole: readers see the old content or the new one, never a part.</summary>
/// <remarks>
/// What is written lies beside the file, as <c>NAME.PROCESS.tmp</c>, until it is whole. A process that is killed meanwhile leaves it behind; whoever writes the file next takes it away.
/// </remarks>
static class AtomicFile
{
    public static void Write(string path, Action<Stream> write)
    {
        string target = Path.GetFullPath(path);
        string temporary = $"{target}.{Environment.ProcessId}.tmp";
        RemoveAbandoned(target);
        try
        {
            // Open until it has its name: the lock tells others that it is not abandoned.
            using var stream = new FileStream(temporary, FileMode.Create, FileAccess.Write, FileShare.Delete);
            write(stream);
            stream.Flush(flushToDisk: true);
            File.Move(temporary, target, overwrite: true);
        }
        catch
        {
            File.Delete(temporary);
            throw;
        }
    }

    /// <summary>Deletes what killed processes left of this file, told by its whole name; what a process still holds, or must not be touched, stays.</summary>
    static void RemoveAbandoned(string target)
    {
        const string end = ".tmp";
        string begin = $"{Path.GetFileName(target)}.";
        try
        {
            foreach (string file in Directory.EnumerateFiles(Path.GetDirectoryName(target)!))
            {
                string name = Path.GetFileName(file);
                bool ours =
                    name.Length > begin.Length + end.Length
                    && name.StartsWith(begin, StringComparison.Ordinal)
                    && name.EndsWith(end, StringComparison.Ordinal)
                    && name.AsSpan(begin.Length..^end.Length).IndexOfAnyExceptInRange('0', '9') < 0;
                if (ours && !IsHeld(file))
                    File.Delete(file);
            }
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // A folder that cannot be listed or changed is told of by the writing itself.
        }
    }

    static bool IsHeld(string file)
    {
        try
        {
            new FileStream(file, FileMode.Open, FileAccess.ReadWrite, FileShare.None).Dispose();
            return false;
        }
        catch (IOException)
        {
            return true;
        }
    }
}
