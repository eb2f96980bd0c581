using BenchmarkDotNet.Columns;
using BenchmarkDotNet.Configs;
using BenchmarkDotNet.Diagnosers;
using BenchmarkDotNet.Exporters;
using BenchmarkDotNet.Exporters.Csv;
using BenchmarkDotNet.Exporters.Json;
using BenchmarkDotNet.Loggers;

namespace OT.Benchmarks;

/// <summary>What every benchmark reports: time, memory, and the accuracy reached beside them.</summary>
sealed class BenchmarkSettings : ManualConfig
{
    public BenchmarkSettings()
    {
        AddColumnProvider(DefaultColumnProviders.Instance);
        AddColumn(new AccuracyColumn());
        AddDiagnoser(MemoryDiagnoser.Default);
        AddExporter(MarkdownExporter.GitHub, CsvExporter.Default, JsonExporter.Brief);
        AddLogger(ConsoleLogger.Default);
        WithOptions(ConfigOptions.JoinSummary);
    }
}
