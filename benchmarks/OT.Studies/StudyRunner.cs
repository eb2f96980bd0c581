using OT.Accelerators.Gpu.Cuda;
using OT.Accelerators.Gpu.OpenCl;

namespace OT.Studies;

/// <summary><c>OT.Studies list</c>, <c>OT.Studies NAME [--short] [--output FOLDER]</c>; <c>gpu</c> also takes <c>--backend cuda | opencl</c>.</summary>
static class StudyRunner
{
    /// <summary>0 when every claim held, 1 when one did not, 2 for bad usage.</summary>
    public static int Run(string[] args, TextWriter output)
    {
        if (args is [MpiStudy.RankWord, .. var words])
            return MpiStudy.Rank(words, output);
        bool isShort = args.Contains("--short", StringComparer.Ordinal);
        string? folder = Value(args, "--output"),
            backend = Value(args, "--backend");
        if (backend is not (null or "cuda" or "opencl"))
        {
            output.WriteLine($"--backend is '{backend}'; there are cuda and opencl.");
            return 2;
        }
        Study[] all =
        [
            new DomainAdaptationStudy(),
            new InverseStudy(),
            new MirrorSinkhornStudy(),
            new MpiStudy(),
            new RebasinStudy(),
            new SparsePlansStudy(),
            new RoutingStudy(),
            new SparseNewtonStudy(),
            new SumOfNormsStudy(),
            new GpuStudy(backend == "opencl" ? () => new OpenClBackend() : () => new CudaBackend()),
        ];
        string name = args.Length > 0 ? args[0] : "";
        if (name == "list")
        {
            foreach (Study each in all)
                output.WriteLine($"{each.Name}: {each.Description}");
            return 0;
        }
        if (
            Array.Find(all, each => each.Name == name) is not { } study
            || (folder is null && args.Contains("--output", StringComparer.Ordinal))
        )
        {
            output.WriteLine("usage: OT.Studies list | OT.Studies NAME [--short] [--output FOLDER] [--backend cuda|opencl]");
            return 2;
        }
        folder ??= Path.Combine("benchmarks", "results", Machine.Name, "studies");
        bool holds = study.Run(isShort, folder, output);
        output.WriteLine($"written to {folder}");
        return holds ? 0 : 1;
    }

    static string? Value(string[] args, string option)
    {
        int at = Array.IndexOf(args, option);
        return at >= 0 && at + 1 < args.Length ? args[at + 1] : null;
    }
}
