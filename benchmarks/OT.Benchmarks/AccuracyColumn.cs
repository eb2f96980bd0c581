using System.Globalization;
using BenchmarkDotNet.Columns;
using BenchmarkDotNet.Reports;
using BenchmarkDotNet.Running;

namespace OT.Benchmarks;

/// <summary>The accuracy that a benchmark reached: its own number, such as the marginal error or the relative gap to a known value.</summary>
/// <remarks>
/// Benchmarks run in processes of their own, so the number travels through a file: a benchmark calls <see cref="Report"/> from its
/// <c>[GlobalCleanup]</c>, naming itself and its parameters as the table does.
/// </remarks>
sealed class AccuracyColumn : IColumn
{
    static string Folder => Path.Combine(Path.GetTempPath(), "ot-benchmark-accuracy");

    public string Id => nameof(AccuracyColumn);

    public string ColumnName => "Accuracy";

    public string Legend => "accuracy reached, in the benchmark's own measure; ? where it reports none";

    public bool AlwaysShow => true;

    public ColumnCategory Category => ColumnCategory.Custom;

    public int PriorityInCategory => 0;

    public bool IsNumeric => true;

    public UnitType UnitType => UnitType.Dimensionless;

    /// <summary>A table shows numbers of its own run only.</summary>
    public AccuracyColumn()
    {
        if (Directory.Exists(Folder))
            Directory.Delete(Folder, recursive: true);
    }

    /// <summary>Called from <c>[GlobalCleanup]</c>.</summary>
    /// <param name="benchmark">Class and method, such as <c>SinkhornBenchmarks.Solve</c>.</param>
    /// <param name="accuracy">The number shown.</param>
    /// <param name="parameters">The values of the class's parameters, in the order of their names.</param>
    public static void Report(string benchmark, double accuracy, params ReadOnlySpan<object?> parameters)
    {
        Directory.CreateDirectory(Folder);
        File.WriteAllText(FileOf(benchmark, parameters), accuracy.ToString("E1", CultureInfo.InvariantCulture));
    }

    public string GetValue(Summary summary, BenchmarkCase benchmarkCase)
    {
        object?[] parameters =
        [
            .. benchmarkCase.Parameters.Items.OrderBy(item => item.Name, StringComparer.Ordinal).Select(item => item.Value),
        ];
        string file = FileOf($"{benchmarkCase.Descriptor.Type.Name}.{benchmarkCase.Descriptor.WorkloadMethod.Name}", parameters);
        return File.Exists(file) ? File.ReadAllText(file) : "?";
    }

    public string GetValue(Summary summary, BenchmarkCase benchmarkCase, SummaryStyle style) => GetValue(summary, benchmarkCase);

    public bool IsDefault(Summary summary, BenchmarkCase benchmarkCase) => false;

    public bool IsAvailable(Summary summary) => true;

    static string FileOf(string benchmark, ReadOnlySpan<object?> parameters)
    {
        string name = benchmark;
        foreach (object? value in parameters)
            name += string.Create(CultureInfo.InvariantCulture, $"-{value}");
        return Path.Combine(Folder, string.Join('_', name.Split(Path.GetInvalidFileNameChars())) + ".txt");
    }
}
