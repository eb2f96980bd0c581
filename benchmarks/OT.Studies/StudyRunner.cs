namespace OT.Studies;

/// <summary><c>OT.Studies list</c>, <c>OT.Studies NAME [--short] [--output FOLDER]</c>.</summary>
static class StudyRunner
{
    static readonly Study[] s_all = [new MirrorSinkhornStudy(), new MpiStudy(), new RebasinStudy(), new SparseNewtonStudy()];

    /// <summary>0 when every claim held, 1 when one did not, 2 for bad usage.</summary>
    public static int Run(string[] args, TextWriter output)
    {
        if (args is [MpiStudy.RankWord, .. var words])
            return MpiStudy.Rank(words, output);
        bool isShort = args.Contains("--short", StringComparer.Ordinal);
        int at = Array.IndexOf(args, "--output");
        string? folder = at >= 0 && at + 1 < args.Length ? args[at + 1] : null;
        string name = args.Length > 0 ? args[0] : "";
        if (name == "list")
        {
            foreach (Study each in s_all)
                output.WriteLine($"{each.Name}: {each.Description}");
            return 0;
        }
        if (Array.Find(s_all, each => each.Name == name) is not { } study || (at >= 0 && folder is null))
        {
            output.WriteLine("usage: OT.Studies list | OT.Studies NAME [--short] [--output FOLDER]");
            return 2;
        }
        folder ??= Path.Combine("benchmarks", "results", Machine.Name, "studies");
        bool holds = study.Run(isShort, folder, output);
        output.WriteLine($"written to {folder}");
        return holds ? 0 : 1;
    }
}
