using System.CommandLine;
using OT.Accelerators;
using OT.Accelerators.Mpi;
using OT.Backends;

namespace OT.Cli;

/// <summary>The back end that a command runs on: one of the catalogue, or one of it for each rank.</summary>
static class Backends
{
    const string Mpi = "mpi";

    /// <summary>
    /// Under <c>mpirun</c> with more than one process the back end is <c>mpi</c>, named or not, over <c>managed</c> on each rank, or over NAME for <c>mpi:NAME</c>.
    /// </summary>
    public static IBackend Open(TransportArguments arguments, ParseResult parse, MpiCommunicator? ranks)
    {
        string name = parse.GetValue(arguments.Backend) ?? "auto";
        int? threads = (int?)parse.GetValue(arguments.Threads);
        long? memory = parse.GetValue(arguments.Memory);
        string? local = name switch
        {
            Mpi => "managed",
            "auto" when ranks is not null => "managed",
            _ when name.StartsWith(Mpi + ":", StringComparison.Ordinal) => name[(Mpi.Length + 1)..],
            _ => null,
        };
        if (local is null && ranks is not null)
            throw new InputException(
                $"--backend {name}: is of one process, and mpirun started {ranks.Size}: give mpi, or mpi:{name} for it on each of them."
            );
        if (local is null)
            return BackendCatalog.Open(name, threads, memory);
        if (local is Mpi or "auto")
            throw new InputException(
                $"--backend {name}: name what every rank runs on: a choice of each rank's own may differ from the others'."
            );
        if (ranks is null)
        {
            // Started by hand or as the only process: nobody else ends MPI.
            MpiCommunicator alone = ranks = MpiCommunicator.World();
            AppDomain.CurrentDomain.ProcessExit += (_, _) => alone.Dispose();
        }
        return new DistributedBackend(BackendCatalog.Open(local, threads ?? ranks.Threads, memory), ranks);
    }

    /// <summary>Refuses what several processes cannot do together.</summary>
    public static void RefuseInRanks(TransportArguments arguments, ParseResult parse, string method, bool sharded)
    {
        if (method is not ("sinkhorn" or "sparse-newton" or "mirror-sinkhorn"))
            throw new InputException(
                $"--method {method}: runs in one process: start it without mpirun, or give --epsilon, or --method sinkhorn, sparse-newton or mirror-sinkhorn."
            );
        foreach (Option<string?> option in (ReadOnlySpan<Option<string?>>)[arguments.Plan, arguments.Plot])
        {
            if (sharded && parse.GetValue(option) is not null)
                throw new InputException(
                    $"{option.Name}: the costs lie with several processes, and none can make the whole plan: write --potentials."
                );
        }
    }
}
